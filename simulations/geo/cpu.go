package geo

import (
	"syscall"
	"time"
)

// processTime is the CPU time that this process used, 0 if the system doesn't say. Unlike
// time, it hardly depends on who else uses the machine.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
