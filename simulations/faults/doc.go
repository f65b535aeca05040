// Package faults is `selvedge bench faults`: processes of our own binary on
// loopback, what goes wrong with them on purpose, and whether every promise was
// kept.
package faults
