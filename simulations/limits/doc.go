// Package limits tells what a process can have on this machine.
package limits
