package limits

// Limits are what a machine has to give.
type Limits struct {
	Files  uint64 // that a process may have open
	Memory int64  // available, bytes; 0 = unknown
}
