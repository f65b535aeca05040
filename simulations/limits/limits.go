package limits

// Limits are what a machine has to give.
type Limits struct {
	Files uint64 // that a process may have open
	// Memory is what may still be taken, in bytes: what is available here, or what this
	// control group has left, if that is less; 0 = unknown.
	Memory int64
}
