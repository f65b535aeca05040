package linktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Subject is a source under test.
type Subject struct {
	Source link.Source
	// Publish appends a frame and returns when the source's tail has it.
	Publish func(ch wire.Channel) (wire.LogID, wire.Seq)
	// Trim lets the frames of log p up to floor go. Nil = the source has what is in
	// its tail only, a relay: what is older is to be had elsewhere, and its tail
	// should hold 200 frames.
	Trim func(p wire.LogID, floor wire.Seq)
}

// TestSource checks that a source keeps to link.Source. open makes an empty
// one, which ends with the test; its tails should be so small that 200 frames
// don't fit.
func TestSource(t *testing.T, open func(t *testing.T) Subject) {
	type check struct {
		guarantee string
		run       func(*testing.T, *history)
	}
	every := []check{
		{"the tail has every frame, in order, with its exact prev", checkTail},
		{"a channel with frames after a position has moved", checkMoved},
		{"fills go down to what is asked for, with exact prevs", checkFill},
		{"fills of the oldest frames go up to what is asked for", checkFillOldest},
		{"a log that the source has not has no tail", checkNoTail},
		{"a log that is closed and opened again goes on where it was left", checkReopen},
		{"a log that moves between links is received once and in order", checkMove},
		{"a log that ends before a position says so", checkBehind},
		{"what is held is told from where on, and given back", checkHold},
	}
	whole := []check{
		{"reading from any position gives the wanted frames once, in order, as they were", checkRead},
		{"only channels with frames after a position have moved, also when they are gone", checkTrimmedMoved},
		{"of trimmed records it is known whose they were", checkLost},
		{"a fill says that frames are gone only if some of its channel are", checkTrimmedFill},
		{"what is left of a trimmed log reads as before", checkTrimmedRead},
	}
	relay := []check{{"what is older than the tail is elsewhere", checkElsewhere}}
	for _, kind := range []struct {
		checks []check
		is     func(s Subject) bool
	}{
		{every, func(Subject) bool { return true }},
		{whole, func(s Subject) bool { return s.Trim != nil }},
		{relay, func(s Subject) bool { return s.Trim == nil }},
	} {
		if !kind.is(open(t)) {
			continue
		}
		for _, check := range kind.checks {
			t.Run(check.guarantee, func(t *testing.T) {
				s := open(t)
				check.run(t, publishSome(t, s))
			})
		}
	}
}

// place is a frame as the dumb model of a log knows it.
type place struct {
	Ch        wire.Channel
	Seq, Prev wire.Seq
}

// history is what was published, beside the source that took it.
type history struct {
	Subject
	followers map[wire.LogID]*tail.Follower
	logs      map[wire.LogID][]place // in log order
	channels  []wire.Channel
}

func publishSome(t *testing.T, s Subject) *history {
	h := &history{Subject: s, followers: map[wire.LogID]*tail.Follower{}, logs: map[wire.LogID][]place{}}
	for i := range 5 {
		h.channels = append(h.channels, wire.Channel(fmt.Sprintf("room:r%d", i)), wire.Channel(fmt.Sprintf("inbox:u%d", i)))
	}
	for n := range s.Source.Logs() {
		p := wire.LogID(n)
		tl := s.Source.Tail(p)
		h.followers[p] = tl.Follow(0)
		t.Cleanup(h.followers[p].Stop)
		held := make(chan wire.Seq, 1)
		s.Source.Hold(p, tl, h.keys(p), 0, func(from wire.Seq) { held <- from })
		if from := <-held; from != 0 {
			t.Fatalf("of the empty log %d there is what comes after %d", p, from)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	last := map[wire.Channel]wire.Seq{}
	for range 200 {
		// Few channels get most frames.
		ch := h.channels[min(r.IntN(len(h.channels)), r.IntN(len(h.channels)))]
		p, seq := s.Publish(ch)
		if want := wire.LogOf(ch, s.Source.Logs()); p != want {
			t.Fatalf("%s went to log %d, want %d", ch, p, want)
		}
		h.logs[p] = append(h.logs[p], place{ch, seq, last[ch]})
		last[ch] = seq
	}
	return h
}

// keys are those of the channels of log p.
func (h *history) keys(p wire.LogID) (keys []wire.Key) {
	for _, ch := range h.channels {
		if wire.LogOf(ch, h.Source.Logs()) == p {
			keys = append(keys, wire.FramesKey(ch))
		}
	}
	return keys
}

// in is what the model has of log p in (after, upto] that want takes.
func (h *history) in(p wire.LogID, after, upto wire.Seq, want func(wire.Channel) bool) []place {
	var out []place
	for _, f := range h.logs[p] {
		if f.Seq > after && f.Seq <= upto && want(f.Ch) {
			out = append(out, f)
		}
	}
	return out
}

func placeOf(t *testing.T, b []byte) place {
	t.Helper()
	f, err := wire.ParseFrame(b)
	if err != nil {
		t.Fatalf("a frame that can't be read: %v", err)
	}
	return place{f.Ch, f.Seq, f.Prev}
}

func every(wire.Channel) bool { return true }

// checkTail reads the tail as far back as it reaches.
func checkTail(t *testing.T, h *history) {
	for p, f := range h.followers {
		tl := h.Source.Tail(p)
		base := tl.Base()
		f.Seek(base)
		got, err := f.Read(nil, 1<<20, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		var places []place
		for _, r := range got {
			if r.Kind != tail.Frame {
				continue
			}
			at := placeOf(t, r.Bytes)
			if r.Seq != at.Seq || r.Keys != [2]wire.Key{wire.FramesKey(at.Ch)} {
				t.Errorf("record %d with keys %x holds frame %d of %s", r.Seq, r.Keys, at.Seq, at.Ch)
			}
			places = append(places, at)
		}
		if diff := cmp.Diff(h.in(p, base, tl.End(), every), places); diff != "" {
			t.Errorf("log %d (-published +in the tail):\n%s", p, diff)
		}
		if want := h.logs[p]; len(want) > 0 && tl.End() != want[len(want)-1].Seq {
			t.Errorf("log %d ends at %d, want %d", p, tl.End(), want[len(want)-1].Seq)
		}
	}
}

func checkRead(t *testing.T, h *history) {
	wants := func(ch wire.Channel) bool { return ch == h.channels[0] || ch == h.channels[3] || ch == h.channels[4] }
	keys := map[wire.Key]bool{}
	for _, ch := range h.channels {
		keys[wire.FramesKey(ch)] = wants(ch)
	}
	want := func(k [2]wire.Key) bool { return keys[k[0]] || keys[k[1]] }
	for p := range h.followers {
		end := h.Source.Tail(p).End()
		for start := wire.Seq(0); start <= end; start += 9 {
			got := h.readAll(t, p, start, 0, want)
			if diff := cmp.Diff(h.in(p, start, end, wants), got); diff != "" {
				t.Fatalf("log %d after %d (-published +read):\n%s", p, start, diff)
			}
		}
	}
}

// readAll reads a log after a position to its end, of which what is up to floor is
// gone.
func (h *history) readAll(t *testing.T, p wire.LogID, pos, floor wire.Seq, want func([2]wire.Key) bool) (got []place) {
	t.Helper()
	for end := h.Source.Tail(p).End(); pos < end; {
		records, upto, gone, err := h.Source.Read(t.Context(), p, pos, want)
		if err != nil || gone != floor || upto <= pos || upto > end {
			t.Fatalf("read log %d after %d of %d: floor %d, want %d, upto %d, %v", p, pos, end, gone, floor, upto, err)
		}
		for _, r := range records {
			if r.Seq <= pos || r.Seq > upto {
				t.Errorf("record %d in what is (%d, %d]", r.Seq, pos, upto)
			}
			got = append(got, placeOf(t, r.Bytes))
		}
		pos = upto
	}
	return got
}

func checkMoved(t *testing.T, h *history) {
	for _, ch := range h.channels {
		p, k := wire.LogOf(ch, h.Source.Logs()), wire.FramesKey(ch)
		end := h.Source.Tail(p).End()
		for since := wire.Seq(0); since <= end+1; since++ {
			got := h.Source.Moved([]wire.Key{42}, p, []wire.Key{k}, since)
			want := []wire.Key{42}
			if len(h.in(p, since, end, func(c wire.Channel) bool { return c == ch })) > 0 {
				want = append(want, k)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s since %d of %d: moved %x, want %x", ch, since, end, got, want)
			}
		}
	}
}

func checkFill(t *testing.T, h *history) {
	for _, ch := range h.channels {
		p := wire.LogOf(ch, h.Source.Logs())
		end := h.Source.Tail(p).End()
		for after := wire.Seq(0); after <= end; after += 5 {
			var got []place
			for upto := end; upto > after; {
				a := h.Source.Query(t.Context(), "edge", &wire.Query{
					T: wire.QFill, Chs: []wire.Channel{ch}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{upto},
				}, 0)
				if a.Err != nil || len(a.Fills) != 1 {
					t.Fatalf("fill %s (%d, %d]: %+v", ch, after, upto, a)
				}
				f := a.Fills[0]
				if f.Ch != ch || f.Upto != upto || f.Floor < after || f.Floor >= upto || f.Gone != 0 {
					t.Fatalf("fill %s (%d, %d] is of %s (%d, %d], gone %d", ch, after, upto, f.Ch, f.Floor, f.Upto, f.Gone)
				}
				var part []place
				for _, b := range f.Frames {
					part = append(part, placeOf(t, b))
				}
				got = append(part, got...)
				upto = f.Floor
			}
			if diff := cmp.Diff(h.in(p, after, end, func(c wire.Channel) bool { return c == ch }), got); diff != "" {
				t.Fatalf("%s after %d (-published +filled):\n%s", ch, after, diff)
			}
		}
	}
}

func checkNoTail(t *testing.T, h *history) {
	for _, p := range []wire.LogID{wire.LogID(h.Source.Logs()), wire.StateLog - 1} {
		if h.Source.Tail(p) != nil {
			t.Errorf("there is a tail of log %d", p)
		}
	}
	if h.Source.Tail(wire.StateLog) == nil {
		t.Error("there is no tail of the state log")
	}
}
