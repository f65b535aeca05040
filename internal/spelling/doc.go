// Package spelling tells how far a word is from one that was meant.
package spelling
