// Package linktest is what tests of links share: the suite that every
// link.Source passes, and a Source in memory.
package linktest
