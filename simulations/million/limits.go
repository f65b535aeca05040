package million

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// readLimits asks this machine. What it doesn't say is no limit.
func readLimits() (l limits, err error) {
	k, err := readKernel()
	if err != nil {
		return l, fmt.Errorf("the machine's memory isn't known: %w", err)
	}
	l.Available = k.Available
	l.Group = groupLeft()
	l.NrOpen = number("/proc/sys/fs/nr_open", 0)
	l.FileMax = left(number("/proc/sys/fs/file-max", 0), number("/proc/sys/fs/file-nr", 0))
	if text, err := os.ReadFile("/proc/self/limits"); err == nil {
		l.Files = hardLimit(text, "Max open files")
	}
	l.TCP = number("/proc/sys/net/ipv4/tcp_mem", 2) * int64(os.Getpagesize())
	if from, to := number("/proc/sys/net/ipv4/ip_local_port_range", 0), number("/proc/sys/net/ipv4/ip_local_port_range", 1); to > from {
		l.Ports = to - from + 1
	}
	l.Backlog = number("/proc/sys/net/core/somaxconn", 0)
	if tracked() {
		l.Conntrack = left(number("/proc/sys/net/netfilter/nf_conntrack_max", 0), number("/proc/sys/net/netfilter/nf_conntrack_count", 0))
	}
	l.Threads = least(number("/proc/sys/kernel/pid_max", 0), number("/proc/sys/kernel/threads-max", 0), threadsOfGroup())
	return l, nil
}

// left is what remains of a limit: never zero, which would be none.
func left(limit, used int64) int64 {
	if limit <= 0 {
		return 0
	}
	return max(limit-used, 1)
}

// least is the smallest of the limits that there are.
func least(all ...int64) (n int64) {
	for _, l := range all {
		if l > 0 && (n == 0 || l < n) {
			n = l
		}
	}
	return n
}

// number is field i of a file of numbers; 0 = there is none.
func number(file string, i int) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if i >= len(fields) {
		return 0
	}
	n, err := strconv.ParseInt(fields[i], 10, 64)
	if err != nil { // "max", or more than one could have
		return 0
	}
	return n
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
	return number(table, 0) > 0
}

// unlimited is what the first version of control groups says instead of nothing.
const unlimited = 1 << 60

// groupLeft is what this control group, and those that it is in, may still take of
// memory.
func groupLeft() int64 {
	l := int64(0)
	for _, dir := range groupDirs(ownGroups(), "memory") {
		for _, names := range [][2]string{{"memory.max", "memory.current"}, {"memory.limit_in_bytes", "memory.usage_in_bytes"}} {
			if limit := number(filepath.Join(dir, names[0]), 0); limit > 0 && limit < unlimited {
				l = least(l, left(limit, number(filepath.Join(dir, names[1]), 0)))
			}
		}
	}
	return l
}

// threadsOfGroup is what it may have of threads.
func threadsOfGroup() int64 {
	l := int64(0)
	for _, dir := range groupDirs(ownGroups(), "pids") {
		if limit := number(filepath.Join(dir, "pids.max"), 0); limit > 0 {
			l = least(l, left(limit, number(filepath.Join(dir, "pids.current"), 0)))
		}
	}
	return l
}

// ownGroups is what the kernel says of this process's control groups, if anything.
func ownGroups() []byte {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return text
}

// groupDirs are the folders of a process's control group of a kind, and of those
// around it, by what /proc/PID/cgroup says.
func groupDirs(text []byte, kind string) (dirs []string) {
	for line := range bytes.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root := "/sys/fs/cgroup"
		switch parts[1] {
		case "":
		case kind:
			root = filepath.Join(root, kind)
		default:
			continue
		}
		for at := filepath.Clean("/" + parts[2]); ; at = filepath.Dir(at) {
			dirs = append(dirs, filepath.Join(root, at))
			if at == "/" {
				break
			}
		}
	}
	return dirs
}
