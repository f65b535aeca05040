package log_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// BenchmarkPublishParallel: 200 callers, each with its channel, 1 KiB frames,
// and a follower on each log.
func BenchmarkPublishParallel(b *testing.B) {
	for _, followed := range []bool{false, true} {
		b.Run(fmt.Sprintf("followed=%v", followed), func(b *testing.B) {
			s := open(b, corelog.Config{Dir: b.TempDir()})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var seen atomic.Int64
			if followed {
				for p := range s.Logs() {
					go func() {
						_ = s.Follow(ctx, wire.LogID(p), 0, func(batch []corelog.Stored) error {
							seen.Add(int64(len(batch)))
							return nil
						})
					}()
				}
			}
			data := strings.Repeat("x", 1024)
			var callers atomic.Int64
			b.SetParallelism(100)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				p := post(wire.Channel(fmt.Sprint("room:", callers.Add(1))), data)
				for pb.Next() {
					if _, err := s.Publish(ctx, "key", p); err != nil {
						b.Error(err)
						return
					}
				}
			})
			if followed {
				eventually(b, "everything followed", func() bool { return seen.Load() == int64(b.N) })
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// BenchmarkRead: pages of 100 frames of one of 1,000 channels, in 100,000
// frames of 1 KiB.
func BenchmarkRead(b *testing.B) {
	s := open(b, corelog.Config{Dir: b.TempDir(), Logs: 1})
	ch := func(i int) wire.Channel { return wire.Channel(fmt.Sprint("room:", i%1000)) }
	data := strings.Repeat("x", 1024)
	b.SetParallelism(100)
	var n atomic.Int64
	fill := make(chan struct{})
	for range 200 {
		go func() {
			for {
				i := n.Add(1)
				if i > 100_000 {
					fill <- struct{}{}
					return
				}
				if _, err := s.Publish(b.Context(), "key", post(ch(int(i)), data)); err != nil {
					b.Error(err)
				}
			}
		}()
	}
	for range 200 {
		<-fill
	}
	b.Run("ReadChannel", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			frames, _, err := s.ReadChannel(b.Context(), ch(i), 50_000, 0, 100, 1<<20)
			if err != nil || len(frames) < 10 {
				b.Fatal(len(frames), err)
			}
		}
	})
	b.Run("ReadBefore", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			frames, more, err := s.ReadBefore(b.Context(), ch(i), 0, 50, 1<<20)
			if err != nil || !more || len(frames) != 50 {
				b.Fatal(len(frames), more, err)
			}
		}
	})
	b.Run("Read", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Read(b.Context(), 0, wire.Seq(i%90_000), 1<<18); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Floor", func(b *testing.B) {
		for b.Loop() {
			s.Floor(0)
		}
	})
}

// BenchmarkState: 100,000 users appended, then read in pages of 64 KiB.
func BenchmarkState(b *testing.B) {
	s := open(b, corelog.Config{Dir: b.TempDir(), Logs: 1})
	items := make([]corelog.StateAppend, 100_000)
	for i := range items {
		items[i].Record = user(wire.UserID(fmt.Sprint("user-", i)), 1)
	}
	b.Run("AppendState", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			for j, res := range s.AppendState(b.Context(), items) {
				if res.Err != nil {
					b.Fatal(res.Err)
				}
				items[j].Expect = res.Seq
			}
		}
		b.ReportMetric(float64(b.N*len(items))/b.Elapsed().Seconds(), "records/s")
	})
	end := s.End(wire.StateLog)
	b.Run("Read", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Read(b.Context(), wire.StateLog, end-wire.Seq(1+i*2000%90_000), 64<<10); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen: 16 logs, closed in order before.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := corelog.Open(b.Context(), corelog.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
