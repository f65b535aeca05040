package chain

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"selvedge/wire"
)

// key spreads numbers as hashes are.
func key(i int) wire.Key { return wire.Key(i+1) * 0x9e3779b97f4a7c15 }

// filled is a chain of one frame in each of n channels.
func filled(b *testing.B, dir string, n int) *Chain {
	c := Open(Config{Dir: dir, Epoch: "e"})
	for i := range n {
		c.Add(key(i), wire.Seq(i+1), 1)
	}
	if err := c.Save(); err != nil {
		b.Fatal(err)
	}
	return c
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory: what a channel takes in memory, at the best and the worst
// fill of the maps, and on disk.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{200_000, 500_000, 1_000_000, 1_200_000, 1_600_000} {
		b.Run(fmt.Sprintf("channels=%d", n), func(b *testing.B) {
			for b.Loop() {
				before := live()
				c := filled(b, b.TempDir(), n)
				b.ReportMetric(float64(live()-before)/float64(n), "B/channel")
				runtime.KeepAlive(c)
			}
		})
	}
}

// BenchmarkMillion: saving and opening the chain of a million channels, and for
// how long a save holds up who adds, at most.
func BenchmarkMillion(b *testing.B) {
	dir := b.TempDir()
	c := filled(b, dir, 1_000_000)
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			if err := c.Save(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("add while saving", func(b *testing.B) {
		var worst time.Duration
		for b.Loop() {
			done := make(chan error)
			go func() { done <- c.Save() }()
			for i := 0; ; i++ {
				began := time.Now()
				c.Add(key(i%1_000_000), c.Pos()+1, 1)
				worst = max(worst, time.Since(began))
				select {
				case err := <-done:
					if err != nil {
						b.Fatal(err)
					}
				default:
					continue
				}
				break
			}
		}
		b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
	})
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if c := Open(Config{Dir: dir, Epoch: "e", End: 1 << 40}); c.Channels() != 1_000_000 {
				b.Fatal(c.Channels())
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	c := filled(b, b.TempDir(), 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Add(key(i%100_000), c.Pos()+1, 1)
		i++
	}
}

// BenchmarkPrev: a predecessor on disk, anywhere, and the one next to the last.
func BenchmarkPrev(b *testing.B) {
	c := filled(b, b.TempDir(), 1_000_000)
	for name, step := range map[string]int{"far": 7_919, "near": 1} {
		b.Run(name, func(b *testing.B) {
			r := c.Reader()
			i := 0
			for b.Loop() {
				i = (i + step) % 900_000
				if _, ok := r.Prev(wire.Seq(i + 1)); !ok {
					b.Fatal(i)
				}
			}
		})
	}
}
