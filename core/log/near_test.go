package log

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// collected sends what a Follow gets to the channel; hold, if it is not nil, is
// called before each portion.
func collected(t *testing.T, s *Store, p wire.LogID, hold func()) <-chan Stored {
	t.Helper()
	got := make(chan Stored, 1<<16)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Follow(ctx, p, 0, func(batch []Stored) error {
			if hold != nil {
				hold()
			}
			for _, st := range batch {
				got <- st
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("follow: %v", err)
		}
	})
	return got
}

func due(t *testing.T, got <-chan Stored, seq wire.Seq) Stored {
	t.Helper()
	select {
	case st := <-got:
		if st.Seq != seq {
			t.Fatalf("followed %d, want %d", st.Seq, seq)
		}
		return st
	case <-time.After(10 * time.Second): // less than a follower takes to notice silence
		t.Fatalf("%d did not follow within 10 s", seq)
		return Stored{}
	}
}

// waitNear waits until nobody who follows log p reads it.
func waitNear(t *testing.T, s *Store, p wire.LogID, followers int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		boxes := &s.inboxes[s.index(p)]
		boxes.mu.Lock()
		n := len(boxes.all)
		boxes.mu.Unlock()
		sess, err := s.session()
		if err != nil {
			t.Fatal(err)
		}
		stream, err := sess.js.Stream(t.Context(), streamName(p))
		if err != nil {
			t.Fatal(err)
		}
		if n == followers && stream.CachedInfo().State.Consumers == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("somebody goes on reading the log")
		}
	}
}

func frame(t *testing.T, s *Store, text string) wire.Seq {
	t.Helper()
	placed, err := s.Publish(t.Context(), "key", post(text))
	if err != nil {
		t.Fatal(err)
	}
	return placed.Seq
}

// What followers are handed is what the log has, and each has it for itself.
func TestFollowersAreHandedWhatIsAppended(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	frame(t, s, "before")
	frames := collected(t, s, 0, nil)
	due(t, frames, 1)
	states := []<-chan Stored{collected(t, s, wire.StateLog, nil), collected(t, s, wire.StateLog, nil)}
	waitNear(t, s, 0, 1)
	waitNear(t, s, wire.StateLog, len(states))

	frame(t, s, "after")
	mine := wire.Data{0x81, 0xa1, 'x', 0x01}
	results := s.AppendState(t.Context(), []StateAppend{
		{Record: wire.StateRecord{Kind: wire.StateUser, User: "u", Data: mine, Version: 3, V: 77}},
		{Record: wire.StateRecord{Kind: wire.StateUser, User: "u", Data: wire.Data{0x80}}}, // a conflict
		{Record: wire.StateRecord{Kind: wire.StateMember, Room: "r", User: "u", From: 9}},
		{Record: wire.StateRecord{Kind: wire.StateMember, Room: "r", User: "v", Deleted: true}},
	})
	if results[0].Seq != 1 || !errors.Is(results[1].Err, ErrConflict) || results[2].Seq != 2 || results[3].Seq != 3 {
		t.Fatalf("appended: %+v", results)
	}
	clear(mine)
	for p, got := range map[wire.LogID][]<-chan Stored{0: {frames}, wire.StateLog: states} {
		after := wire.Seq(0)
		if p == 0 {
			after = 1
		}
		want, err := s.Read(t.Context(), p, after, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range got {
			for _, w := range want {
				st := due(t, from, w.Seq)
				if diff := cmp.Diff(w, st); diff != "" {
					t.Errorf("log %d at %d (-in the log +followed):\n%s", p, w.Seq, diff)
				}
				if st.State != nil {
					*st.State = wire.StateRecord{} // the other one must not see it
				}
			}
		}
	}
}

// Who is too slow for what is held in memory reads the log, and comes back.
func TestASlowFollowerReadsTheLog(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	held := make(chan struct{})
	got := collected(t, s, 0, func() { <-held })
	waitNear(t, s, 0, 1)
	const count = 6
	text := strings.Repeat("x", wire.MaxData-100)
	for range count {
		if _, err := s.Publish(t.Context(), "key", &wire.Post{Ch: "room:a", TS: 1, Data: append(wire.Data{0xdb, 0, byte(len(text) >> 16), byte(len(text) >> 8), byte(len(text))}, text...)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		frame(t, s, fmt.Sprint(i))
	}
	close(held)
	for seq := range wire.Seq(count + 1000) {
		due(t, got, seq+1)
	}
	waitNear(t, s, 0, 1)
	due(t, got, frame(t, s, "next"))
	box := s.inboxes[0].all[0]
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.over {
		t.Error("it goes on reading")
	}
}

// An acknowledgement that is missing, late or repeated is made up for by the log.
func TestWhatIsMissingInAnInboxIsRead(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	got := collected(t, s, 0, nil)
	waitNear(t, s, 0, 1)
	due(t, got, frame(t, s, "one"))
	s.inboxes[0].put(1, []byte("repeated"), nil)
	due(t, got, frame(t, s, "two"))
	boxes := &s.inboxes[0]
	boxes.mu.Lock()
	all := boxes.all
	boxes.all = nil // nobody hears of the next
	boxes.mu.Unlock()
	frame(t, s, "three")
	boxes.mu.Lock()
	boxes.all = all
	boxes.mu.Unlock()
	frame(t, s, "four")
	for seq := wire.Seq(3); seq <= 4; seq++ {
		if post, err := wire.ParseBody(due(t, got, seq).Body); err != nil || string(post.Data[1:]) != []string{"three", "four"}[seq-3] {
			t.Errorf("frame %d is %q, %v", seq, post.Data, err)
		}
	}
}

// Few wake-ups for many records, but never none.
func TestInboxesWakeFollowers(t *testing.T) {
	var boxes inboxes
	box := boxes.open()
	woken := func() bool {
		select {
		case <-box.wake:
			return true
		default:
			return false
		}
	}
	seq := wire.Seq(0)
	put := func(n int) {
		for range n {
			seq++
			boxes.put(seq, nil, nil)
		}
	}
	for i, step := range []struct {
		do   func()
		wake bool
	}{
		{func() { put(1) }, true},
		{func() { put(1) }, false}, // it has not looked yet
		{func() { box.take(); put(1) }, true},
	} {
		if step.do(); woken() != step.wake {
			t.Errorf("step %d: woken %v, want %v", i, !step.wake, step.wake)
		}
	}
	box.take()
	endA, endB := boxes.begin(5), boxes.begin(5)
	if put(portionRecords - 1); woken() {
		t.Error("woken for less than a portion")
	}
	if put(1); !woken() {
		t.Error("not woken for a portion")
	}
	box.take()
	put(1)
	if endA(); !woken() {
		t.Error("not woken when one of two calls has ended")
	}
	one := boxes.begin(1)
	put(1)
	if one(); !woken() {
		t.Error("not woken when a call of one record has ended beside another call")
	}
	endB()
	box.take()
	woken()
	if put(1); !woken() {
		t.Error("not woken for one record after all calls")
	}
	boxes.close(box)
	if put(1); woken() || len(boxes.all) != 0 {
		t.Error("a closed inbox gets records")
	}
}

func TestPortion(t *testing.T) {
	run := func(from, n, bytes int) (out []Stored) {
		for i := range n {
			out = append(out, Stored{Seq: wire.Seq(from + i), Body: make([]byte, bytes)})
		}
		return out
	}
	for i, c := range []struct {
		records []Stored
		want    int
	}{
		{run(12, 3, 1), 0},
		{run(11, 3, 1), 3},
		{append(run(11, 3, 1), run(15, 3, 1)...), 3},
		{run(11, 2*pullRecords, 1), pullRecords},
		{run(11, 5, batchBytes/2), 2},
		{run(11, 2, 2*batchBytes), 1},
	} {
		if got := portion(10, c.records); got != c.want {
			t.Errorf("case %d: %d, want %d", i, got, c.want)
		}
	}
}

// A call that is broken off leaves nothing behind: what it held of the budget
// comes back, and what the log took follows all the same.
func TestABrokenOffAppend(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := collected(t, s, wire.StateLog, cancel) // with the first portion
	items := make([]StateAppend, 20_000)
	for i := range items {
		items[i].Record = wire.StateRecord{Kind: wire.StateMember, Room: "r", User: wire.UserID(fmt.Sprint(i))}
	}
	taken, failed := 0, 0
	for i, r := range s.AppendState(ctx, items) {
		switch {
		case r.Err == nil:
			taken++
		case errors.Is(r.Err, ErrUnavailable):
			failed++
		default:
			t.Fatalf("append %d: %+v", i, r)
		}
	}
	if failed == 0 {
		t.Fatal("nothing was broken off")
	}
	if !s.budget.TryAcquire(flightBudget) {
		t.Error("it still holds something of the budget")
	}
	s.budget.Release(flightBudget)
	end := s.AppendState(t.Context(), []StateAppend{{Record: wire.StateRecord{Kind: wire.StateRoom, Room: "end"}}})[0]
	if end.Err != nil || int(end.Seq) <= taken {
		t.Fatalf("%+v after %d", end, taken)
	}
	for seq := wire.Seq(1); seq <= end.Seq; seq++ {
		due(t, got, seq)
	}
}

// Of calls whose outcome nobody waits for any more, nothing is held.
func TestAppendsThatDoNotEndAreReleased(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	w := stateAppends{store: s, results: make([]StateResult, 3), calls: make([]ackCall, 3), ended: make(chan *ackCall, 3), flying: 2}
	for i := range w.flying {
		if !s.budget.TryAcquire(10) {
			t.Fatal("no budget")
		}
		w.calls[i].size = 10
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.collect(ctx)
	if w.flying != 0 || !errors.Is(w.results[0].Err, ErrUnavailable) || !errors.Is(w.results[1].Err, ErrUnavailable) || w.results[2].Err != nil {
		t.Errorf("%d are on the way, %+v", w.flying, w.results)
	}
	if !s.budget.TryAcquire(flightBudget) {
		t.Error("they still hold something of the budget")
	}
}
