package million

import (
	"slices"
	"strings"
	"testing"
)

func TestTheKernelsAccountsAreRead(t *testing.T) {
	n, err := kibOf([]byte("MemTotal:       24684292 kB\nSlab:             690436 kB\n"), "Slab")
	if err != nil || n != 690436<<10 {
		t.Errorf("Slab: %d, %v", n, err)
	}
	for _, text := range []string{"", "SlabX: 1 kB\n", "Slab: many kB\n"} {
		if _, err := kibOf([]byte(text), "Slab"); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	inUse, pages, err := parseSockstat([]byte("sockets: used 16\nTCP: inuse 3 orphan 0 tw 2 alloc 5 mem 68\nUDP: inuse 0 mem 160\n"))
	if err != nil || inUse != 3 || pages != 68 {
		t.Errorf("sockstat: %d, %d, %v", inUse, pages, err)
	}
	for _, text := range []string{"", "UDP: inuse 0\n", "TCP: inuse x\n"} {
		if _, _, err := parseSockstat([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestLimitsAreRead(t *testing.T) {
	const text = "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max open files            1024                 20000                files     \nMax pending signals       unlimited            unlimited            signals   \n"
	if n := hardLimit([]byte(text), "Max open files"); n != 20000 {
		t.Errorf("files: %d", n)
	}
	if n := hardLimit([]byte(text), "Max pending signals"); n != 0 {
		t.Errorf("no limit: %d", n)
	}
	file := written(t, "4096\t131072\tmax\n")
	if a, b, c := number(file, 1), number(file, 2), number(file, 3); a != 131072 || b != 0 || c != 0 {
		t.Errorf("numbers: %d, %d, %d", a, b, c)
	}
	if least(0, 7, 3, 0) != 3 || least(0, 0) != 0 || left(0, 5) != 0 || left(9, 5) != 4 || left(5, 5) != 1 {
		t.Error("zero is a limit that isn't there")
	}
	l, err := readLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l.Available <= 0 || l.Files <= 0 || l.Ports <= 0 || l.Backlog <= 0 || l.TCP <= 0 || l.FileMax <= 0 || l.Threads <= 0 {
		t.Errorf("this machine: %+v", l)
	}
}

func TestControlGroupsAreFound(t *testing.T) {
	one := groupDirs([]byte("9:name=systemd:/\n4:memory:/a/b\n3:cpuset:/\n"), "memory")
	if got := strings.Join(one, " "); got != "/sys/fs/cgroup/memory/a/b /sys/fs/cgroup/memory/a /sys/fs/cgroup/memory" {
		t.Errorf("version 1: %s", got)
	}
	two := groupDirs([]byte("0::/user.slice/x\n"), "memory")
	if !slices.Equal(two, []string{"/sys/fs/cgroup/user.slice/x", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"}) {
		t.Errorf("version 2: %v", two)
	}
	if dirs := groupDirs([]byte("nonsense\n\n"), "memory"); dirs != nil {
		t.Errorf("nonsense: %v", dirs)
	}
}
