package million

import (
	"testing"

	machine "selvedge/simulations/limits"
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
	if a, b, c := machine.Number(file, 1), machine.Number(file, 2), machine.Number(file, 3); a != 131072 || b != 0 || c != 0 {
		t.Errorf("numbers: %d, %d, %d", a, b, c)
	}
	l, err := readLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l.Available <= 0 || l.Files <= 0 || l.Ports <= 0 || l.Backlog <= 0 || l.TCP <= 0 || l.FileMax <= 0 || l.Threads <= 0 {
		t.Errorf("this machine: %+v", l)
	}
}
