// Package fleet runs a core and edges as processes on this machine, with
// development keys, to be measured, and killed.
package fleet
