package link_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
)

// One record of 1 KiB from a source to a receiver, over loopback.
func BenchmarkRecord(b *testing.B) {
	src := linktest.NewMemory(2, 64<<20)
	d := dial(b, serve(b, src, udp(b)), "e")
	ch := channels(0, 1)[0]
	d.open(0, 0, keysOf(ch)...)
	b.SetBytes(1024)
	b.ReportAllocs()
	for sent, got := 0, 0; b.Loop(); {
		src.Publish(ch, 1000)
		for sent++; sent-got > 1000; {
			got += len(d.event(0).records)
		}
	}
}

// A delta and its marker: one round trip.
func BenchmarkInterest(b *testing.B) {
	d := dial(b, serve(b, memory(), udp(b)), "e")
	d.open(0, 0)
	keys := keysOf(channels(0, 4)...)
	b.ReportAllocs()
	for id := uint64(1); b.Loop(); id++ {
		d.change(0, id, keys, keys, link.Live)
	}
}

// A frame of 1 KiB to each of a relay's siblings, that all want it: back to back, when
// several go in one system call, and one after the other has arrived. CPU is that of
// both ends, and the kernel's part.
func BenchmarkSiblings(b *testing.B) {
	for _, siblings := range []int{1, 3, 9, 19} {
		for what, ahead := range map[string]int{"together": 200, "alone": 0} {
			b.Run(strconv.Itoa(siblings)+"/"+what, func(b *testing.B) { benchSiblings(b, siblings, ahead) })
		}
	}
}

func benchSiblings(b *testing.B, siblings, ahead int) {
	b.Helper()
	src := linktest.NewMemory(2, 64<<20)
	from := serve(b, src, udp(b))
	ch := channels(0, 1)[0]
	to, got := make([]*downstream, siblings), make([]int, siblings)
	for i := range to {
		to[i] = dial(b, from, "e"+strconv.Itoa(i))
		to[i].open(0, 0, keysOf(ch)...)
	}
	before := cpuTime(b)
	for sent := 0; b.Loop(); {
		src.Publish(ch, 1000)
		sent++
		for i, d := range to {
			for sent-got[i] > ahead {
				got[i] += len(d.event(0).records)
			}
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N*siblings), "us-cpu/sibling")
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
