package feed_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// town is a feed of 2,000 rooms and 10,000 users who are in 20 rooms each.
func town(b *testing.B) *feed.Feed {
	b.Helper()
	const rooms, users, each = 2000, 10_000, 20
	room := func(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("room-%04d", i%rooms)) }
	object := func(format string, args ...any) wire.Data {
		d, err := wire.ParseJSON(fmt.Appendf(nil, format, args...))
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	l := &fakeLog{end: rooms}
	view, err := directory.Open(directory.Config{Dir: b.TempDir(), Epoch: "e"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = view.Close() })
	var records []wire.StateRecord
	add := func(r wire.StateRecord) {
		r.V = wire.Seq(len(records) + 1)
		records = append(records, r)
	}
	for i := range rooms {
		add(wire.StateRecord{Kind: wire.StateRoom, Room: room(i), Data: object(`{"name":"Room %d","topic":"what it is about"}`, i)})
		l.frames = append(l.frames, corelog.Stored{Seq: wire.Seq(i + 1), Body: wire.AppendBody(nil, &wire.Post{
			Ch: wire.RoomChannel(room(i)), TS: int64(i * 7919 % rooms), Data: wire.Data{0xc3},
		})})
	}
	for i := range users {
		add(wire.StateRecord{Kind: wire.StateUser, User: townsman(i), Data: object(`{"name":"User %d"}`, i)})
	}
	for j := range each {
		for i := range users {
			add(wire.StateRecord{Kind: wire.StateMember, User: townsman(i), Room: room(i*31 + j*(i%97+1)), From: wire.Seq(i)})
		}
	}
	if err := view.Apply(records); err != nil {
		b.Fatal(err)
	}
	f := feed.New(feed.Config{Log: l, View: view, Logger: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- f.Run(b.Context()) }()
	b.Cleanup(func() {
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	select {
	case <-f.Ready():
	case <-time.After(10 * time.Second):
		b.Fatal("not ready")
	}
	return f
}

func townsman(i int) wire.UserID { return wire.UserID(fmt.Sprintf("user-%05d", i%10_000)) }

// The core's work for users who say hello, up to the bytes of the answer.
func BenchmarkHello(b *testing.B) {
	f := town(b)
	for _, batch := range []int{1, 8, wire.MaxHellos} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			b.ReportAllocs()
			users := make([]wire.UserID, batch)
			var size int
			for i := 0; b.Loop(); {
				for j := range users {
					users[j] = townsman(i * 7919)
					i++
				}
				a := f.Query(b.Context(), "edge", &wire.Query{T: wire.QHello, Users: users}, 0)
				if a.Err != nil {
					b.Fatal(a.Err)
				}
				out, err := wire.Msgpack.Append(nil, a)
				if err != nil {
					b.Fatal(err)
				}
				size += len(out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/user")
			b.ReportMetric(float64(size)/float64(b.N*batch), "B/user")
		})
	}
}
