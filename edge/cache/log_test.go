package cache

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// A channel of a name is one pointer while anybody holds it, and nothing after.
func TestAcquireAndRelease(t *testing.T) {
	c := New(2, 1<<20)
	a, first := c.Acquire("room:a")
	again, second := c.Acquire("room:a")
	if !first || second || a != again || c.Find("room:a") != a {
		t.Fatalf("first %v, second %v, one channel %v", first, second, a == again)
	}
	if a.P != wire.LogOf("room:a", 2) {
		t.Errorf("channel %+v", a)
	}
	if c.Release(a) || c.Find("room:a") == nil {
		t.Error("released by one of two")
	}
	if !c.Release(a) || c.Find("room:a") != nil {
		t.Error("nobody holds it, but it is there")
	}
}

// Nothing of a channel counts before its interest is live.
func TestNothingIsHeldBeforeTheMarker(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	if got := line(t, ch, 1, 1, 2); len(got) != 0 {
		t.Errorf("handed on: %v", seqs(got))
	}
	if _, a, _ := ch.Read(nil, 2, 2, 1); a != Missing {
		t.Errorf("read before live: %d", a)
	}
	ch.SetLive(2)
	c.Log(0).Append(nil, 2)
	if _, a, _ := ch.Read(nil, 2, 2, 1); a != Complete {
		t.Errorf("read at the floor: %d", a)
	}
	if _, a, _ := ch.Read(nil, 1, 2, 1); a != Missing {
		t.Errorf("read below the floor: %d", a)
	}
}

// A reader may know more than this edge, or claim so: the channel's range
// begins at the marker all the same, for all others.
func TestFloorBeyondTheMarkerMeansTheMarker(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(1 << 50)
	c.Log(0).Append(nil, 10)
	line(t, ch, 1, 11, 12)
	got, a, _ := ch.Read(nil, 10, 12, 1<<20)
	if diff := cmp.Diff([]wire.Seq{11, 12}, seqs(got)); a != Complete || diff != "" {
		t.Errorf("answer %d\n%s", a, diff)
	}
	if _, err := ch.Fill(fillOf(0, 10, 0, frameOf(t, ch.Name, 0, 4, 0, 1))); err != nil {
		t.Fatal(err)
	}
	got, a, _ = ch.Read(nil, 0, 12, 1<<20)
	if diff := cmp.Diff([]wire.Seq{4, 11, 12}, seqs(got)); a != Complete || diff != "" {
		t.Errorf("answer %d\n%s", a, diff)
	}
}

// A frame that says that another was between is a hole: what was held below it
// is no range any more, and a fill mends it.
func TestHoleRaisesTheFloorAndAFillMendsIt(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	line(t, ch, 1, 1, 2)
	lost := frameOf(t, ch.Name, 0, 5, 2, 1)
	out := c.Log(0).Append([]*Frame{frameOf(t, ch.Name, 0, 7, 5, 1)}, 8)
	if len(out) != 1 || !out[0].Hole {
		t.Fatalf("handed on %v", seqs(out))
	}
	if _, a, _ := ch.Read(nil, 1, 8, 1<<20); a != Missing {
		t.Fatalf("over the hole: %d", a)
	}
	if got, a, _ := ch.Read(nil, 5, 8, 1<<20); a != Complete || len(got) != 1 {
		t.Fatalf("above the hole: %d, %v", a, seqs(got))
	}
	if _, err := ch.Fill(fillOf(2, 5, 0, lost)); err != nil {
		t.Fatal(err)
	}
	got, a, _ := ch.Read(nil, 2, 8, 1<<20)
	if diff := cmp.Diff([]wire.Seq{5, 7}, seqs(got)); a != Complete || diff != "" {
		t.Errorf("answer %d\n%s", a, diff)
	}
}

// A fill that doesn't reach the range, or has nothing below it, leaves it alone.
func TestFillCannotOvertake(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(10)
	line(t, ch, 1, 11)
	for _, f := range []*wire.Fill{
		fillOf(5, 8, 0, frameOf(t, ch.Name, 0, 6, 0, 1)),    // 9 and 10 may be missing
		fillOf(10, 12, 0, frameOf(t, ch.Name, 0, 12, 0, 1)), // nothing below
	} {
		if _, err := ch.Fill(f); err != nil {
			t.Fatal(err)
		}
		got, a, _ := ch.Read(nil, 10, 20, 1<<20)
		if floor, _ := ch.Floor(); floor != 10 || a != Complete || len(got) != 1 {
			t.Errorf("floor %d, answer %d, %v", floor, a, seqs(got))
		}
	}
	// One that overlaps is cut to what is new.
	if _, err := ch.Fill(fillOf(8, 11, 0, frameOf(t, ch.Name, 0, 9, 0, 1), frameOf(t, ch.Name, 0, 11, 9, 1))); err != nil {
		t.Fatal(err)
	}
	got, _, _ := ch.Read(nil, 8, 20, 1<<20)
	if diff := cmp.Diff([]wire.Seq{9, 11}, seqs(got)); diff != "" {
		t.Error(diff)
	}
	if _, err := ch.Fill(&wire.Fill{Floor: 0, Upto: 8, Frames: []wire.Data{{0xc0}}}); err == nil {
		t.Error("a fill of no frames is taken")
	}
}

// What the source lost is gone, and said so; what comes after it is whole.
func TestGap(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	line(t, ch, 1, 1, 2)
	quiet, _ := c.Acquire("room:quiet")
	quiet.SetLive(1)
	c.Log(0).Gap(9, []wire.Key{wire.FramesKey(ch.Name)})
	if pos := c.Log(0).Pos(); pos != 9 {
		t.Errorf("the log stands at %d", pos)
	}
	if _, a, _ := ch.Read(nil, 2, 9, 1); a != Missing {
		t.Errorf("answer %d", a)
	}
	if got, a, _ := quiet.Read(nil, 1, 9, 1); a != Complete || len(got) != 0 {
		t.Errorf("who lost nothing: answer %d, %v", a, seqs(got))
	}
	if _, err := ch.Fill(fillOf(9, 9, 9)); err != nil {
		t.Fatal(err)
	}
	if _, a, lost := ch.Read(nil, 2, 9, 1); a != Gone || lost != 9 {
		t.Errorf("answer %d up to %d", a, lost)
	}
	line(t, ch, 1, 10)
	if got, a, _ := ch.Read(nil, 9, 10, 1); a != Complete || len(got) != 1 {
		t.Errorf("answer %d, %v", a, seqs(got))
	}
	c.Log(0).Gap(3, []wire.Key{wire.FramesKey(ch.Name)}) // of the past: nothing was lost
	if got, a, _ := ch.Read(nil, 9, 10, 1); a != Complete || len(got) != 1 {
		t.Errorf("after an old gap: answer %d, %v", a, seqs(got))
	}
}

// A fill tells what the core has no more; the rest of it is there.
func TestFillTellsWhatIsGone(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(10)
	line(t, ch, 1, 11)
	if _, err := ch.Fill(fillOf(6, 10, 6, frameOf(t, ch.Name, 0, 8, 6, 1))); err != nil {
		t.Fatal(err)
	}
	if _, a, lost := ch.Read(nil, 2, 11, 1<<20); a != Gone || lost != 6 {
		t.Fatalf("answer %d up to %d", a, lost)
	}
	got, a, _ := ch.Read(nil, 6, 11, 1<<20)
	if diff := cmp.Diff([]wire.Seq{8, 11}, seqs(got)); a != Complete || diff != "" {
		t.Errorf("answer %d\n%s", a, diff)
	}
	got, a, _ = ch.Read(nil, 6, 11, 0)
	if diff := cmp.Diff([]wire.Seq{8}, seqs(got)); a != Partial || diff != "" {
		t.Errorf("with no room but for one: answer %d\n%s", a, diff)
	}
}

// Logs that start anew hold nothing of before.
func TestStartForgetsEverything(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	line(t, ch, 1, 1, 2)
	c.Log(0).Start(7)
	if _, live := ch.Floor(); live || c.Bytes() != 0 || c.Log(0).Pos() != 7 {
		t.Fatalf("live %v, %d bytes, at %d", live, c.Bytes(), c.Log(0).Pos())
	}
	ch.SetLive(7)
	line(t, ch, 1, 8)
	if _, a, _ := ch.Read(nil, 6, 8, 1); a != Missing {
		t.Errorf("what was before: answer %d", a)
	}
}

// Evicted is not gone: the core still has it.
func TestEvictedIsMissing(t *testing.T) {
	c := New(1, 2000)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	line(t, ch, 100, 1, 2, 3, 4, 5, 6)
	floor, _ := ch.Floor()
	if floor == 0 || floor == 6 || c.Bytes() > 2000 {
		t.Fatalf("floor %d, %d bytes", floor, c.Bytes())
	}
	if _, err := ch.Fill(fillOf(0, 0, 1)); err != nil { // tells of a loss below the floor only
		t.Fatal(err)
	}
	if _, a, at := ch.Read(nil, 0, 6, 1); a != Gone || at != 1 {
		t.Errorf("answer %d at %d", a, at)
	}
	if _, a, _ := ch.Read(nil, 1, 6, 1); a != Missing {
		t.Errorf("answer %d", a)
	}
}

// A reader whose backlog is larger than the whole cache gets it in order, piece
// by piece: the oldest first, and what it has read makes room.
func TestABacklogLargerThanTheCache(t *testing.T) {
	const last = 200
	c := New(1, 4000)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(last)
	c.Log(0).Append(nil, last)
	var all []*Frame
	for seq := range wire.Seq(last) {
		all = append(all, frameOf(t, ch.Name, 0, seq+1, seq, 100))
	}
	var got []wire.Seq
	fills := 0
	for at := wire.Seq(0); at < last; {
		if upto, lacks := ch.Lacks(at); lacks {
			if fills++; fills > last {
				t.Fatalf("no end of fills at %d", at)
			}
			c.NextFills()
			c.NextFills()
			end := min(at+3, upto)
			if done, err := ch.Fill(fillOf(at, end, 0, all[at:end]...)); err != nil || done != (Filled{Moved: true}) {
				t.Fatalf("fill after %d: %+v, %v", at, done, err)
			}
			continue
		}
		frames, a, upto := ch.Read(nil, at, last, 1<<20)
		if a != Partial && upto != last || upto <= at {
			t.Fatalf("after %d: answer %d up to %d", at, a, upto)
		}
		got = append(got, seqs(frames)...)
		at = upto
		if c.Bytes() > 4000+3*int64(all[0].size()) {
			t.Fatalf("%d bytes are held", c.Bytes())
		}
	}
	if diff := cmp.Diff(seqs(all), got); diff != "" {
		t.Error(diff)
	}
}

// Everything may be used by several goroutines at once.
func TestConcurrentUse(t *testing.T) {
	c := New(2, 20_000)
	var wg sync.WaitGroup
	for p := range 2 {
		log := c.Log(wire.LogID(p))
		names := []wire.Channel{inLog(wire.LogID(p), 2, 0), inLog(wire.LogID(p), 2, 1)}
		wg.Go(func() {
			for seq := wire.Seq(1); seq <= 400; seq++ {
				log.Append([]*Frame{frameOf(t, names[seq%2], wire.LogID(p), seq, max(seq, 2)-2, 50)}, seq)
			}
		})
		for _, name := range names {
			wg.Go(func() {
				for range 100 {
					ch, _ := c.Acquire(name)
					ch.SetLive(log.Pos())
					log.Append(nil, log.Pos())
					floor, _ := ch.Floor()
					if floor > 0 {
						_, _ = ch.Fill(fillOf(floor-1, floor, 0))
					}
					pos := log.Pos()
					got, a, _ := ch.Read(nil, floor, pos, 1<<20)
					for i := 1; i < len(got); i++ {
						if got[i].Seq != got[i-1].Seq+2 {
							t.Errorf("answer %d with a hole: %v", a, seqs(got))
						}
					}
					c.Release(ch)
				}
			})
		}
	}
	wg.Wait()
	if c.Bytes() != 0 {
		t.Errorf("%d bytes are held for nobody", c.Bytes())
	}
}
