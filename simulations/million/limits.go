package million

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	machine "selvedge/simulations/limits"
)

// readLimits asks this machine. What it doesn't say is no limit.
func readLimits() (l limits, err error) {
	k, err := readKernel()
	if err != nil {
		return l, fmt.Errorf("the machine's memory isn't known: %w", err)
	}
	l.Available = k.Available
	l.Group = machine.GroupMemory()
	l.NrOpen = machine.Number("/proc/sys/fs/nr_open", 0)
	l.FileMax = machine.Left(machine.Number("/proc/sys/fs/file-max", 0), machine.Number("/proc/sys/fs/file-nr", 0))
	if text, err := os.ReadFile("/proc/self/limits"); err == nil {
		l.Files = hardLimit(text, "Max open files")
	}
	l.TCP = machine.Number("/proc/sys/net/ipv4/tcp_mem", 2) * int64(os.Getpagesize())
	if from, to := machine.Number("/proc/sys/net/ipv4/ip_local_port_range", 0), machine.Number("/proc/sys/net/ipv4/ip_local_port_range", 1); to > from {
		l.Ports = to - from + 1
	}
	l.Backlog = machine.Number("/proc/sys/net/core/somaxconn", 0)
	if tracked() {
		l.Conntrack = machine.Left(machine.Number("/proc/sys/net/netfilter/nf_conntrack_max", 0), machine.Number("/proc/sys/net/netfilter/nf_conntrack_count", 0))
	}
	l.Threads = machine.Least(machine.Number("/proc/sys/kernel/pid_max", 0), machine.Number("/proc/sys/kernel/threads-max", 0), machine.GroupThreads())
	return l, nil
}

// hardLimit is one of /proc/self/limits; 0 = unlimited, or not there.
func hardLimit(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		if fields := strings.Fields(string(rest)); len(fields) >= 2 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return n
			}
		}
	}
	return 0
}

// tracked reports whether the kernel keeps a table of this network's connections:
// one is made, and looked for in it.
func tracked() bool {
	const table = "/proc/sys/net/netfilter/nf_conntrack_count"
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return false // the run will say why
	}
	defer func() { _ = ln.Close() }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	return machine.Number(table, 0) > 0
}
