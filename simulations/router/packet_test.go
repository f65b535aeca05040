package router

import (
	"encoding/binary"
	"testing"

	"selvedge/simulations/netsim"
)

// packet is one from a host to another, of so many bytes.
func packet(from, to netsim.Host, size int) []byte {
	p := make([]byte, size)
	p[0] = 4<<4 | 5
	binary.BigEndian.PutUint16(p[atLength:], uint16(size))
	source, target := from.IP().As4(), to.IP().As4()
	copy(p[atSource:], source[:])
	copy(p[atTarget:], target[:])
	return p
}

func TestHostsAreRead(t *testing.T) {
	from, to, ok := parse(packet(7, 0x010203, 100))
	if !ok || from != 7 || to != 0x010203 {
		t.Errorf("from %v to %v, %v", from, to, ok)
	}
}

func TestStrangePacketsAreRefused(t *testing.T) {
	change := func(do func(p []byte) []byte) []byte { return do(packet(1, 2, 100)) }
	for name, p := range map[string][]byte{
		"nothing":        nil,
		"short":          packet(1, 2, 100)[:19],
		"cut":            packet(1, 2, 100)[:99],
		"too long":       packet(1, 2, mtu+1),
		"IPv6":           change(func(p []byte) []byte { p[0] = 6 << 4; return p }),
		"header beyond":  change(func(p []byte) []byte { p[0] = 4<<4 | 15; return p[:40] }),
		"small header":   change(func(p []byte) []byte { p[0] = 4<<4 | 4; return p }),
		"other network":  change(func(p []byte) []byte { p[atSource] = 192; return p }),
		"to the network": packet(1, 0, 100),
	} {
		if from, to, ok := parse(p); ok {
			t.Errorf("%s: from %v to %v", name, from, to)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packet(1, 2, 100))
	f.Add([]byte{4<<4 | 15})
	f.Fuzz(func(t *testing.T, p []byte) {
		from, to, ok := parse(p)
		if !ok {
			return
		}
		again := packet(from, to, len(p))
		if f, to2, ok := parse(again); !ok || f != from || to2 != to {
			t.Errorf("%v to %v is read as %v to %v", from, to, f, to2)
		}
	})
}

// Whatever comes, it is counted once, and given back or on its way.
func FuzzTake(f *testing.F) {
	f.Add(packet(1, 2, 100), int64(5))
	f.Add(packet(1, 9, 100), int64(-1))
	f.Fuzz(func(t *testing.T, p []byte, now int64) {
		r, err := newRoutes(plan(netsim.Path{Delay: 5, Loss: 0.5, Duplicate: 0.5, ReorderBy: 3}))
		if err != nil {
			t.Fatal(err)
		}
		fl := r.queue.room()
		fl.size = copy(fl.bytes[:], p)
		r.take(now%1e15, fl)
		c := r.counts
		if c.Passed+c.Lost+c.Stranger != 1 {
			t.Errorf("%+v", c)
		}
		if on, idle := len(r.queue.heap), len(r.queue.idle); c.Passed == 1 && on == 0 || c.Passed == 0 && (on != 0 || idle != 1) {
			t.Errorf("%+v with %d on their way, %d idle", c, on, idle)
		}
	})
}
