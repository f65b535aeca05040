package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time on a clock that all processes of this machine share, in
// nanoseconds since some moment.
func Now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // it can't fail
	return ts.Nano()
}

// cpuClock makes the id of a process's CPU clock: see clock_getcpuclockid(3).
const cpuClock = 2

// CPU is the time that a process has spent on the CPU, in user and kernel mode.
func CPU(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClock), &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Memory is what a process has in RAM, in bytes.
type Memory struct {
	Resident  int64 `json:"resident"`  // VmRSS: all of it
	Anonymous int64 `json:"anonymous"` // RssAnon: without the pages of files, such as its program
}

// Plus is the sum of both.
func (m Memory) Plus(o Memory) Memory {
	return Memory{m.Resident + o.Resident, m.Anonymous + o.Anonymous}
}

// Less is m without o.
func (m Memory) Less(o Memory) Memory {
	return Memory{m.Resident - o.Resident, m.Anonymous - o.Anonymous}
}

// MemoryOf looks at a process.
func MemoryOf(pid int) (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	all, err1 := statusBytes(status, "VmRSS:")
	anon, err2 := statusBytes(status, "RssAnon:")
	if err := errors.Join(err1, err2); err != nil {
		return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return Memory{all, anon}, nil
}

func statusBytes(status []byte, name string) (int64, error) {
	_, rest, ok := bytes.Cut(status, []byte(name))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 2 {
		return 0, fmt.Errorf("there is no %s", name)
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err
}
