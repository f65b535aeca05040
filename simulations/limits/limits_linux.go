package limits

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Here are the limits that hold now.
func Here() (l Limits, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return l, os.NewSyscallError("getrlimit", err)
	}
	l.Files = r.Cur
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			l.Memory = Least(kib<<10, GroupMemory())
			return l, err
		}
	}
	return l, nil
}
