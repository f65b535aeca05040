package million

import (
	"fmt"
	"strings"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// need is a line of the arithmetic of memory.
type need struct {
	what  string
	count int64
	each  int64 // bytes
}

func (n need) bytes() int64 { return n.count * n.each }

// needs is what the run is going to take of memory, by the estimates.
func (s *Scenario) needs() []need {
	n, e := int64(s.Sockets), s.Estimate
	return []need{
		{"sockets in the kernel, both ends", n, e.KernelBytes},
		{"sockets in edges", n, e.EdgeBytes},
		{"sockets in load processes", n, e.ClientBytes},
		{"users and memberships in the core", n, e.CoreBytes},
		{"edge processes", int64(s.edges()), e.EdgeMiB * mib},
		{"load processes", int64(s.processes()), e.LoadMiB * mib},
		{"the core's process", 1, e.CoreMiB * mib},
		{"one message to all, not yet read", n, e.UnreadBytes + int64(s.MessageBytes)},
		{"left to the machine", 1, e.ReserveMiB * mib},
	}
}

func total(needs []need) (sum int64) {
	for _, n := range needs {
		sum += n.bytes()
	}
	return sum
}

// limits are what a machine has of what a run needs. None of them is zero by
// itself: zero is a limit that isn't there.
type limits struct {
	Available int64 // bytes: MemAvailable
	Group     int64 // bytes that this control group may still take
	FileMax   int64 // fs.file-max, less what is open
	NrOpen    int64 // fs.nr_open
	Files     int64 // RLIMIT_NOFILE, the hard one
	TCP       int64 // bytes that TCP's buffers may take: tcp_mem's last
	Ports     int64 // of ip_local_port_range
	Backlog   int64 // net.core.somaxconn
	Conntrack int64 // entries that are left in the table of connections, where it is in use
	Threads   int64 // of all processes
}

// refusal is why a machine can't do it: each reason with its arithmetic.
type refusal []string

func (r refusal) Error() string {
	return "this machine can't:\n  " + strings.Join(r, "\n  ")
}

// refuse says what the machine lacks; nil = nothing.
func (s *Scenario) refuse(l limits) error {
	var r refusal
	lacks := func(have, want int64, format string, args ...any) {
		if have > 0 && have < want {
			r = append(r, fmt.Sprintf(format, args...))
		}
	}
	n, e := int64(s.Sockets), s.Estimate
	edges, processes := int64(s.edges()), int64(s.processes())
	want := total(s.needs())
	for name, have := range map[string]int64{"MemAvailable": l.Available, "the control group": l.Group} {
		lacks(have, want, "memory: %s, and %s has %.2f GiB: %d sockets at most", s.arithmetic(), name, float64(have)/gib, s.atMost(have))
	}
	all := 2*n + (edges+processes)*e.ProcessFiles
	lacks(l.FileMax, all, "files: %d sockets x 2 ends + %d processes x %d files = %d, and fs.file-max leaves %d", n, edges+processes, e.ProcessFiles, all, l.FileMax)
	most := int64(max(split(s.Sockets, s.edges())+spareSockets, split(s.Sockets, s.processes()))) + e.ProcessFiles
	lacks(l.Files, most, "files of a process: %d sockets + %d others = %d, and RLIMIT_NOFILE is %d: take a smaller edge_sockets or process_sockets", most-e.ProcessFiles, e.ProcessFiles, most, l.Files)
	lacks(l.NrOpen, most, "files of a process: %d, and fs.nr_open is %d", most, l.NrOpen)
	unread := n * (e.UnreadBytes + int64(s.MessageBytes))
	lacks(l.TCP, unread, "TCP's buffers: %d sockets x (%d + %d bytes) of a message not yet read = %.2f GiB, and net.ipv4.tcp_mem ends at %.2f GiB",
		n, e.UnreadBytes, s.MessageBytes, float64(unread)/gib, float64(l.TCP)/gib)
	per := int64(split(s.Sockets, s.edges())+spareSockets)/sources + int64(s.processes())
	lacks(l.Ports, per, "ports: %d sockets of an edge from %d addresses = %d ports of each, and ip_local_port_range has %d", s.EdgeSockets, sources, per, l.Ports)
	inFlight := int64(s.InFlight)/edges + 1
	lacks(l.Backlog, inFlight, "connections that wait at an edge: %d, and net.core.somaxconn is %d", inFlight, l.Backlog)
	lacks(l.Conntrack, n*e.ConntrackFactor, "the table of connections (nf_conntrack) is in use here, and has room for %d, not for %d: run in a network of its own (unshare -n), or raise nf_conntrack_max", l.Conntrack, n)
	threads := (edges + processes + 1) * e.ProcessThreads
	lacks(l.Threads, threads, "threads: %d processes x %d = %d, and %d may run", edges+processes+1, e.ProcessThreads, threads, l.Threads)
	if r != nil {
		return r
	}
	return nil
}

// arithmetic is the sum in words.
func (s *Scenario) arithmetic() string {
	var parts []string
	for _, n := range s.needs() {
		each := fmt.Sprintf("%d bytes", n.each)
		if n.each >= mib {
			each = fmt.Sprintf("%d MiB", n.each/mib)
		}
		parts = append(parts, fmt.Sprintf("%s %d x %s", n.what, n.count, each))
	}
	return strings.Join(parts, " + ") + fmt.Sprintf(" = %.2f GiB", float64(total(s.needs()))/gib)
}

// atMost is how many sockets some memory is enough for, in thousands.
func (s *Scenario) atMost(bytes int64) int {
	least, most := 0, s.Sockets // enough for least, if for any
	for most-least > 1000 {
		half := *s
		half.Sockets = (least + most) / 2
		if total(half.needs()) <= bytes {
			least = half.Sockets
		} else {
			most = half.Sockets
		}
	}
	return least / 1000 * 1000
}
