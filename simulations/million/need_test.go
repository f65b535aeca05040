package million

import (
	"strings"
	"testing"
)

// enough are limits that a million fits into, each of them by little.
func enough(s *Scenario) limits {
	return limits{
		Available: total(s.needs()), Group: total(s.needs()), FileMax: 2_100_000, NrOpen: 19_100, Files: 19_100, TCP: 2 << 30,
		Ports: 28_232, Backlog: 128, Conntrack: 1_000_000, Threads: 2000,
	}
}

func TestAMachineThatLacksSomethingIsRefused(t *testing.T) {
	s := Default()
	if err := s.refuse(enough(&s)); err != nil {
		t.Fatal(err)
	}
	if err := s.refuse(limits{}); err != nil {
		t.Errorf("without any limit: %v", err)
	}
	for name, tt := range map[string]struct {
		lack func(l *limits)
		says string // with the numbers of the arithmetic
	}{
		"memory":       {func(l *limits) { l.Available-- }, "MemAvailable has"},
		"group":        {func(l *limits) { l.Group /= 2 }, "the control group has"},
		"files":        {func(l *limits) { l.FileMax = 2_000_000 }, "1000000 sockets x 2 ends + 106 processes x 100 files = 2010600, and fs.file-max leaves 2000000"},
		"open files":   {func(l *limits) { l.Files = 1024 }, "18932 sockets + 100 others = 19032, and RLIMIT_NOFILE is 1024"},
		"nr_open":      {func(l *limits) { l.NrOpen = 1024 }, "fs.nr_open is 1024"},
		"buffers":      {func(l *limits) { l.TCP = 1 << 30 }, "net.ipv4.tcp_mem ends at 1.00 GiB"},
		"ports":        {func(l *limits) { l.Ports = 1000 }, "from 16 addresses = 1236 ports of each, and ip_local_port_range has 1000"},
		"backlog":      {func(l *limits) { l.Backlog = 4 }, "connections that wait at an edge: 9, and net.core.somaxconn is 4"},
		"conntrack":    {func(l *limits) { l.Conntrack = 262_144 }, "room for 262144, not for 1000000"},
		"threads":      {func(l *limits) { l.Threads = 500 }, "107 processes x 16 = 1712, and 500 may run"},
		"nearly there": {func(l *limits) { l.Available = total(s.needs()) * 3 / 4 }, "000 sockets at most"},
	} {
		l := enough(&s)
		tt.lack(&l)
		if err := s.refuse(l); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q", name, err, tt.says)
		}
	}
}

func TestTheMostThatFitsFits(t *testing.T) {
	s := Default()
	for _, have := range []int64{2 * gib, 5 * gib, 9 * gib} {
		fits, more := s, s
		fits.Sockets = s.atMost(have)
		more.Sockets = fits.Sockets + 3000
		if fits.Sockets <= 0 || total(fits.needs()) > have || total(more.needs()) <= have {
			t.Errorf("%d fit into %d bytes: they need %d, and %d more %d", fits.Sockets, have, total(fits.needs()), 3000, total(more.needs()))
		}
	}
	if n := s.atMost(1); n != 0 {
		t.Errorf("%d fit into nothing", n)
	}
}

// Every part of the sum is in its words.
func TestTheArithmeticIsTold(t *testing.T) {
	s := Default()
	words := s.arithmetic()
	for _, n := range s.needs() {
		if !strings.Contains(words, n.what) {
			t.Errorf("%q is not in %q", n.what, words)
		}
	}
}
