package directory_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// BenchmarkBulk: 100,000 users join a room by one call, on a real log beside
// 200,000 other memberships.
func BenchmarkBulk(b *testing.B) {
	const beside, rooms = 200_000, 2000
	store, err := corelog.Open(b.Context(), corelog.Config{Dir: b.TempDir(), Logs: 1})
	if err != nil {
		b.Fatal(err)
	}
	view := open(b, b.TempDir(), "e")
	ctx, stop := context.WithCancel(b.Context())
	followed := make(chan error, 1)
	var portions atomic.Int64
	go func() {
		followed <- store.Follow(ctx, wire.StateLog, 0, func(records []corelog.Stored) error {
			portions.Add(1)
			apply := make([]wire.StateRecord, len(records))
			for i, r := range records {
				apply[i] = *r.State
			}
			return view.Apply(apply)
		})
	}()
	defer func() {
		stop()
		if err := <-followed; !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}()
	w := &directory.Writer{View: view, Log: store, End: store.End, Logs: 1}
	all := users(0, 100_000)
	fill := make([]corelog.StateAppend, beside)
	for i := range fill {
		fill[i].Record = wire.StateRecord{
			Kind: wire.StateMember, From: 1, User: all[i%len(all)], Room: wire.RoomID(fmt.Sprintf("beside-%04d", (i*7919+i/len(all))%rooms)),
		}
	}
	for _, r := range store.AppendState(b.Context(), fill) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
	if err := view.WaitApplied(b.Context(), store.End(wire.StateLog)); err != nil {
		b.Fatal(err)
	}
	portions.Store(0)
	var used time.Duration
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		room := wire.RoomID(fmt.Sprint("bulk-", n))
		n++
		if _, err := w.PutRoom(b.Context(), room, data(b, `{}`), nil); err != nil {
			b.Fatal(err)
		}
		before := cpu(b)
		b.StartTimer()
		got, err := w.Members(b.Context(), room, directory.MembersChange{Add: all})
		if err != nil || got.Added != len(all) {
			b.Fatal(got.Added, err)
		}
		used += cpu(b) - before
	}
	b.ReportMetric(used.Seconds()/float64(n), "cpu-s/op")
	b.ReportMetric(float64(portions.Load())/float64(n), "portions/op")
}

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
