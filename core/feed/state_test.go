package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// stateOnly is a log that has nothing but state records: those of its channel,
// as they come.
type stateOnly struct {
	fakeLog
	records chan []corelog.Stored
	taken   chan struct{} // receives when records were
}

func (l *stateOnly) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	if p != wire.StateLog {
		return l.fakeLog.Follow(ctx, p, after, fn)
	}
	for {
		select {
		case r := <-l.records:
			if err := fn(r); err != nil {
				return err
			}
			l.taken <- struct{}{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stateFeed runs a feed of state records, which the returned func hands to it.
// Its tail holds about so many.
func stateFeed(t testing.TB, hold int) (*feed.Feed, *directory.View, func([]wire.StateRecord)) {
	t.Helper()
	view, err := directory.Open(directory.Config{Dir: t.TempDir(), Epoch: "e"})
	if err != nil {
		t.Fatal(err)
	}
	l := &stateOnly{records: make(chan []corelog.Stored), taken: make(chan struct{})}
	f := feed.New(feed.Config{Log: l, View: view, TailBytes: 90 * hold, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := view.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, view, func(records []wire.StateRecord) {
		stored := make([]corelog.Stored, len(records))
		for i := range records {
			stored[i] = corelog.Stored{Seq: records[i].V, State: &records[i]}
		}
		l.records <- stored
		<-l.taken
	}
}

// Moved never leaves out a key that has records after a position. It names none
// that has none, as far back as the tail reaches.
func TestStateKeysThatMoved(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e", "f"}
	var keys []wire.Key
	for _, id := range ids {
		keys = append(keys, wire.UserKey(wire.UserID(id)), wire.RoomKey(wire.RoomID(id)), wire.RoomsKey(wire.UserID(id)), wire.MembersKey(wire.RoomID(id)))
	}
	id := rapid.SampledFrom(ids)
	rapid.Check(t, func(rt *rapid.T) {
		f, _, take := stateFeed(t, rapid.IntRange(1, 60).Draw(rt, "hold"))
		last := map[wire.Key]wire.Seq{}
		var end wire.Seq
		exact := 0
		for range rapid.IntRange(1, 10).Draw(rt, "batches") {
			var records []wire.StateRecord
			for range rapid.IntRange(1, 12).Draw(rt, "records") {
				end += wire.Seq(rapid.IntRange(1, 3).Draw(rt, "step"))
				r := wire.StateRecord{V: end, Kind: rapid.SampledFrom([]wire.StateKind{wire.StateUser, wire.StateRoom, wire.StateMember}).Draw(rt, "kind"), Deleted: rapid.Bool().Draw(rt, "deleted")}
				if r.Kind != wire.StateUser {
					r.Room = wire.RoomID(id.Draw(rt, "room"))
				}
				if r.Kind != wire.StateRoom {
					r.User = wire.UserID(id.Draw(rt, "user"))
				}
				for _, k := range r.Interests() {
					last[k] = end
				}
				records = append(records, r)
			}
			take(records)
			asked := keys[:rapid.IntRange(0, len(keys)).Draw(rt, "keys")]
			for since := range end + 2 {
				got := f.Moved([]wire.Key{1}, wire.StateLog, asked, since)
				if got[0] != 1 {
					rt.Fatal("what was there is gone")
				}
				whole := since >= f.Tail(wire.StateLog).Base()
				for _, k := range asked {
					told := slices.Contains(got[1:], k)
					if moved := last[k] > since; moved && !told || !moved && told && whole {
						rt.Fatalf("key %d, last changed at %d: moved since %d of %d: %t; the tail reaches back to %d", k, last[k], since, end, told, f.Tail(wire.StateLog).Base())
					}
				}
				if whole {
					exact++
				}
			}
		}
		if exact == 0 {
			rt.Error("the tail holds nothing")
		}
	})
}

// Memberships tell links how many members the room has: those of the tail as
// they are applied, those of the log as of now.
func TestMembershipsCarryTheirRoomsCount(t *testing.T) {
	c := start(t, nil)
	before := c.Tail(wire.StateLog).End()
	c.room("r", `{}`, "a", "b")
	c.room("s", `{}`, "c")
	if _, err := c.writer.Members(t.Context(), "r", directory.MembersChange{Remove: []wire.UserID{"a"}}); err != nil {
		t.Fatal(err)
	}
	counts := func(records []tail.Record) (out []string) {
		for _, r := range records {
			var rec wire.StateRecord
			if r.Kind != tail.State {
				continue
			}
			if err := wire.Msgpack.Decode(r.Bytes, &rec); err != nil {
				t.Fatal(err)
			}
			if rec.Kind == wire.StateMember {
				out = append(out, fmt.Sprint(rec.Room, rec.User, rec.MemberCount))
			} else if rec.MemberCount != 0 {
				t.Errorf("%+v", rec)
			}
		}
		return out
	}
	follower := c.Tail(wire.StateLog).Follow(before)
	defer follower.Stop()
	records, err := follower.Read(nil, 100, 1<<20)
	if got := counts(records); err != nil || !slices.Equal(got, []string{"ra1", "rb2", "sc1", "ra1"}) {
		t.Errorf("the tail tells %q, %v", got, err)
	}
	records, _, _, err = c.Read(t.Context(), wire.StateLog, before, func([2]wire.Key) bool { return true })
	if got := counts(records); err != nil || !slices.Equal(got, []string{"rb1", "sc1", "ra1"}) {
		t.Errorf("the log tells %q, %v", got, err)
	}
	stored, err := c.log.Read(t.Context(), wire.StateLog, before, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stored {
		if s.State.MemberCount != 0 {
			t.Errorf("stored is %+v", s.State)
		}
	}
}

func BenchmarkMovedState(b *testing.B) {
	const records, asked = 40_000, 10_000
	f, _, take := stateFeed(b, 2*records)
	var all []wire.StateRecord
	for i := range records {
		all = append(all, wire.StateRecord{V: wire.Seq(i + 1), Kind: wire.StateMember, Room: wire.RoomID(fmt.Sprint("room", i%100)), User: wire.UserID(fmt.Sprint("user", i))})
	}
	take(all)
	keys := make([]wire.Key, asked)
	for i := range keys {
		keys[i] = wire.RoomsKey(wire.UserID(fmt.Sprint("user", 4*i+i%2)))
	}
	for _, behind := range []wire.Seq{1, 1000, records} {
		b.Run(fmt.Sprintf("keys=%d,records=%d", asked, behind), func(b *testing.B) {
			for b.Loop() {
				f.Moved(nil, wire.StateLog, keys, records-behind)
			}
		})
	}
	b.Run(fmt.Sprintf("keys=1,records=%d", records), func(b *testing.B) {
		for b.Loop() {
			f.Moved(nil, wire.StateLog, keys[:1], 0)
		}
	})
}
