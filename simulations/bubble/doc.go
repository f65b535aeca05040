// Package bubble lets an ordinary program run code in virtual time, which Go
// offers to tests only.
package bubble
