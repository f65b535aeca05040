package feed_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// stored is a core's folder as it is opened: the logs, the view and the feed.
type stored struct {
	log  *corelog.Store
	view *directory.View
	feed *feed.Feed
	stop func() error
}

// openStored opens them, and returns how long the logs took and the rest until
// the feed was ready.
func openStored(b *testing.B, dir string) (s *stored, logs, rest time.Duration) {
	b.Helper()
	s = &stored{}
	quiet := slog.New(slog.DiscardHandler)
	began := time.Now()
	var err error
	if s.log, err = corelog.Open(b.Context(), corelog.Config{Dir: dir, Logger: quiet}); err != nil {
		b.Fatal(err)
	}
	logs = time.Since(began)
	began = time.Now()
	if s.view, err = directory.Open(directory.Config{Dir: filepath.Join(dir, "directory"), Epoch: s.log.Epoch(), Logger: quiet}); err != nil {
		b.Fatal(err)
	}
	s.feed = feed.New(feed.Config{Log: s.log, View: s.view, Dir: filepath.Join(dir, "feed"), Publish: s.log.Publish, Logger: quiet})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.feed.Run(ctx) }()
	s.stop = func() error { cancel(); return <-done }
	<-s.feed.Ready()
	return s, logs, time.Since(began)
}

func (s *stored) close(b *testing.B) {
	b.Helper()
	for _, end := range []func() error{s.stop, s.view.Close, s.log.Close} {
		if err := end(); err != nil {
			b.Fatal(err)
		}
	}
}

// publishMany publishes n frames of 1 KiB by turns to the channels.
func publishMany(b *testing.B, log *corelog.Store, channels, n int) {
	b.Helper()
	data := append(wire.Data{0xda, 4, 0}, make([]byte, 1024)...)
	const callers = 200
	var g errgroup.Group
	for c := range callers {
		g.Go(func() error {
			for i := c; i < n; i += callers {
				post := &wire.Post{Ch: wire.Channel(fmt.Sprint("room:", i%channels)), TS: 1, Data: data}
				if _, err := log.Publish(b.Context(), "key", post); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRestart: how long a core's logs and feed take to start, by the size of
// the store, which SELVEDGE_GIB gives in GiB (1 if unset): after a stop in order,
// after one without (as after kill -9: the folder as it is, copied while it is
// in use), and each without what the feed keeps, as it was before it kept any.
// Frames of 1 KiB in 100,000 channels; -benchtime 1x is meant.
func BenchmarkRestart(b *testing.B) {
	gib := 1
	if s := os.Getenv("SELVEDGE_GIB"); s != "" {
		var err error
		if gib, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	s, _, _ := openStored(b, dir)
	const channels = 100_000
	began := time.Now()
	publishMany(b, s.log, channels, gib<<20)
	b.Logf("%d frames published to %d channels, %.0f/s, each followed", gib<<20, channels, float64(gib<<20)/time.Since(began).Seconds())
	killed := filepath.Join(b.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	s.close(b)
	for _, way := range []struct{ name, dir string }{{"in order", dir}, {"killed", killed}} {
		for _, kept := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/kept=%v", way.name, kept), func(b *testing.B) {
				for b.Loop() {
					if !kept {
						if err := os.RemoveAll(filepath.Join(way.dir, "feed")); err != nil {
							b.Fatal(err)
						}
					}
					s, logs, rest := openStored(b, way.dir)
					b.ReportMetric(logs.Seconds(), "s-logs")
					b.ReportMetric(rest.Seconds(), "s-feed")
					if n := s.feed.Channels(); n != channels {
						b.Fatal(n)
					}
					s.close(b)
				}
			})
		}
	}
}

// BenchmarkMemberships: what a million memberships of 100,000 users in 10,000
// rooms take in a core's memory and on its disk.
func BenchmarkMemberships(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		before := heap()
		dir := b.TempDir()
		view, err := directory.Open(directory.Config{Dir: dir, Epoch: "e"})
		if err != nil {
			b.Fatal(err)
		}
		records := make([]wire.StateRecord, 0, 1000)
		for i := range n {
			user := i % 100_000
			records = append(records, wire.StateRecord{
				V: wire.Seq(i + 1), Kind: wire.StateMember, From: 1,
				User: wire.UserID(fmt.Sprint("user-", user)), Room: wire.RoomID(fmt.Sprint("room-", (user+i/100_000*997)%10_000)),
			})
			if len(records) == cap(records) {
				if err := view.Apply(records); err != nil {
					b.Fatal(err)
				}
				records = records[:0]
			}
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-heap")
		if err := view.Close(); err != nil {
			b.Fatal(err)
		}
		var disk int64
		if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			disk += info.Size()
			return err
		}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(disk)/n, "B-disk/membership")
	}
}

// heap is the live heap in bytes. The store has its cache, of 32 MiB, and its
// memtables, of 8 MiB each, elsewhere.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
