// Package bench is `selvedge bench`: measurements of the real thing, as
// processes on this machine's loopback, that anyone can run again.
package bench
