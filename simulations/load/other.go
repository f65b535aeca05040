//go:build !linux

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

// errSystem: this system has no epoll.
var errSystem = errors.New("measurements are for Linux, this is " + runtime.GOOS)

// ServeClients fails here.
func ServeClients(context.Context, io.Reader, io.Writer, int) error { return errSystem }

// ServeFloor fails here.
func ServeFloor(context.Context, io.Reader, io.Writer, int) error { return errSystem }

// Now is the time in nanoseconds, of this process only.
func Now() int64 { return time.Now().UnixNano() }

// CPU fails here.
func CPU(pid int) (time.Duration, error) {
	return 0, fmt.Errorf("CPU time of process %d: %w", pid, errSystem)
}

// Memory is not known here.
type Memory struct {
	Resident  int64 `json:"resident"`
	Anonymous int64 `json:"anonymous"`
}

// Plus is the sum of both.
func (m Memory) Plus(o Memory) Memory {
	return Memory{m.Resident + o.Resident, m.Anonymous + o.Anonymous}
}

// Less is m without o.
func (m Memory) Less(o Memory) Memory {
	return Memory{m.Resident - o.Resident, m.Anonymous - o.Anonymous}
}

// MemoryOf fails here.
func MemoryOf(pid int) (Memory, error) {
	return Memory{}, fmt.Errorf("memory of process %d: %w", pid, errSystem)
}
