// Package fleet runs cores and edges as processes on this machine, with
// development keys, to be measured, paused, killed and started again.
package fleet
