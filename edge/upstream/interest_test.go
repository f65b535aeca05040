package upstream

import (
	"fmt"
	"slices"
	"testing"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Each want is answered once, whatever happens to the link meanwhile.
func TestEveryWantIsAnsweredOnceOverLinks(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, only1(c))
	const wants = 200
	for i := range wants {
		ch := wire.Channel(fmt.Sprintf("room:%d", i))
		u.Want(wire.LogOf(ch, logs), Want{Key: wire.FramesKey(ch), Token: string(ch)})
		if i%50 == 25 {
			until(t, "a link", func() bool { return s.links() > i/50 })
			c.srv.Reset("cut")
		}
	}
	until(t, "all answered", func() bool {
		return get(s, func(s *sink) int { return len(s.live) }) == wants
	})
	if u.Interests() != wants {
		t.Errorf("%d interests are held, want %d", u.Interests(), wants)
	}
	for tok, n := range get(s, func(s *sink) map[string]int { return s.live }) {
		if n != 1 {
			t.Errorf("%s was answered %d times", tok, n)
		}
	}
	// They hold on the present link: a frame of each comes, once.
	cuts := s.links()
	c.srv.Reset("cut")
	until(t, "another link", func() bool { return s.links() > cuts })
	for i := range wants {
		c.frame(wire.Channel(fmt.Sprintf("room:%d", i)), wire.Seq(i+1))
	}
	until(t, "all frames", func() bool { return get(s, func(s *sink) int { return len(s.frames) }) >= wants })
	frames := get(s, func(s *sink) []string { return slices.Clone(s.frames) })
	slices.Sort(frames)
	if n := len(slices.Compact(slices.Clone(frames))); n != wants || len(frames) != wants {
		t.Errorf("%d frames, %d different, want %d", len(frames), n, wants)
	}
}

// What is no longer wanted when its marker comes is nobody's; wanted again, it
// is answered again.
func TestDropBeforeTheMarkerAndWantAgain(t *testing.T) {
	s := newSink()
	u, at := unlinked(s, 1)
	u.Want(1, Want{Key: 7, Token: "first"})
	sent := u.nextDeltas(at)
	u.Drop(1, 7)
	u.marker(u.logs[1], link.Marker{ID: sent[0].id, Seq: 5})
	if n := s.lives("first"); n != 0 {
		t.Errorf("a dropped want was answered %d times", n)
	}
	if d := u.nextDeltas(at); len(d) != 1 || !slices.Equal(d[0].del, []wire.Key{7}) || len(d[0].add) != 0 {
		t.Fatalf("the drop was sent as %+v", d)
	}
	u.Want(1, Want{Key: 7, Token: "again"})
	d := u.nextDeltas(at)
	if len(d) != 1 || !slices.Equal(d[0].add, []wire.Key{7}) || len(d[0].del) != 0 {
		t.Fatalf("the second want was sent as %+v", d)
	}
	u.marker(u.logs[1], link.Marker{ID: d[0].id, Seq: 9})
	if s.lives("again") != 1 {
		t.Error("the second want was not answered")
	}
}

// A key that is dropped and wanted again between two deltas is never given up.
func TestDropAndWantBetweenDeltas(t *testing.T) {
	u, at := unlinked(newSink(), 0)
	u.Want(0, Want{Key: 7, Token: "a"})
	u.nextDeltas(at)
	u.Drop(0, 7)
	u.Want(0, Want{Key: 7, Token: "b"})
	d := u.nextDeltas(at)
	if len(d) != 1 || len(d[0].del) != 0 || !slices.Equal(d[0].add, []wire.Key{7}) {
		t.Errorf("sent %+v, want the key added and not deleted", d)
	}
}

// Two channels may share a key: it is held until both are dropped.
func TestTwoWantsOfOneKey(t *testing.T) {
	u, at := unlinked(newSink(), 0)
	u.Want(0, Want{Key: 7, Token: "a"}, Want{Key: 7, Token: "b"})
	u.nextDeltas(at)
	u.Drop(0, 7)
	if d := u.nextDeltas(at); len(d) != 0 || u.Interests() != 1 {
		t.Errorf("sent %+v with %d interests, want nothing with one", d, u.Interests())
	}
	u.Drop(0, 7)
	if d := u.nextDeltas(at); len(d) != 1 || !slices.Equal(d[0].del, []wire.Key{7}) || u.Interests() != 0 {
		t.Errorf("sent %+v with %d interests, want the key deleted", d, u.Interests())
	}
}

// A delta asks since the oldest position that one of its wants needs.
func TestADeltaAsksSinceItsOldestWant(t *testing.T) {
	u, at := unlinked(newSink(), 0)
	u.Want(0, Want{Key: 1, Since: 30}, Want{Key: 2, Since: 10}, Want{Key: 3, Since: 20})
	if d := u.nextDeltas(at); len(d) != 1 || d[0].since != 10 {
		t.Errorf("sent %+v, want since 10", d)
	}
}

// No more deltas are under way than the other side takes; what is wanted
// meanwhile goes together.
func TestDeltasUnderWayAreBounded(t *testing.T) {
	u, at := unlinked(newSink(), 0)
	var first uint64
	for i := range maxPending + 5 {
		u.Want(0, Want{Key: wire.Key(i + 1), Token: fmt.Sprint(i)})
		if d := u.nextDeltas(at); len(d) > 0 && first == 0 {
			first = d[0].id
		}
	}
	if n := len(u.logs[0].pending); n != maxPending {
		t.Fatalf("%d deltas are under way, want %d", n, maxPending)
	}
	<-at.kick
	u.marker(u.logs[0], link.Marker{ID: first})
	select {
	case <-at.kick:
	default:
		t.Error("a marker that makes room wakes nobody")
	}
	if d := u.nextDeltas(at); len(d) != 1 || len(d[0].add) != 5 {
		t.Errorf("sent %+v, want five keys in one delta", d)
	}
}

// A want's number is said once, and the numbers ascend over links, so that a
// query that names one is answered after it on any link.
func TestNumbersHoldOverLinks(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, only1(c))
	numbers := make(chan uint64, 10)
	ask := func(key wire.Key) uint64 {
		u.Want(wire.StateLog, Want{Key: key, Since: link.Live, Token: fmt.Sprint(key), Sent: func(id uint64) { numbers <- id }})
		return <-numbers
	}
	first := ask(1)
	until(t, "the marker", func() bool { return s.lives("1") == 1 })
	c.tails[wire.StateLog].Append(tail.Record{Seq: 40, Kind: tail.Watermark})
	links := s.links()
	c.srv.Reset("cut")
	until(t, "another link", func() bool { return s.links() > links })
	if second := ask(2); second <= first {
		t.Errorf("number %d after %d", second, first)
	}
	if _, err := u.Query(t.Context(), &wire.Query{T: wire.QHello, P: wire.StateLog, Marker: first}); err != nil {
		t.Error(err)
	}
	if len(numbers) > 0 {
		t.Error("a want was numbered twice")
	}
}

// What a lost link left without a marker is sent again, oldest first, and its
// number is not said again: the one that was said holds.
func TestWhatALostLinkLeftIsSentAgain(t *testing.T) {
	u, at := unlinked(newSink(), 0)
	said := map[wire.Key]int{}
	for k := wire.Key(1); k <= 3; k++ {
		u.Want(0, Want{Key: k, Token: "x", Sent: func(uint64) { said[k]++ }})
		u.nextDeltas(at)
	}
	u.Want(0, Want{Key: 4, Token: "x", Sent: func(uint64) { said[4]++ }})
	u.logs[0].unsent()
	if d := u.nextDeltas(at); len(d) != 1 || !slices.Equal(d[0].add, []wire.Key{1, 2, 3, 4}) {
		t.Errorf("sent %+v, want keys 1 to 4", d)
	}
	for k, n := range said {
		if n != 1 {
			t.Errorf("the number of key %d was said %d times", k, n)
		}
	}
}
