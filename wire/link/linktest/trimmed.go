package linktest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// trim lets half of each log go and returns what is left after.
func (h *history) trim() map[wire.LogID]wire.Seq {
	floors := map[wire.LogID]wire.Seq{}
	for p, frames := range h.logs {
		floors[p] = frames[len(frames)/2].Seq
		h.Trim(p, floors[p])
	}
	return floors
}

// lastIn is the last frame of ch in (after, upto] that was ever there, or 0.
func (h *history) lastIn(p wire.LogID, ch wire.Channel, after, upto wire.Seq) wire.Seq {
	all := h.in(p, after, upto, func(c wire.Channel) bool { return c == ch })
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Seq
}

func checkTrimmedMoved(t *testing.T, h *history) {
	h.trim()
	checkMoved(t, h)
}

func checkLost(t *testing.T, h *history) {
	for p, floor := range h.trim() {
		keys := map[wire.Key]struct{}{}
		for _, ch := range h.channels {
			keys[wire.FramesKey(ch)] = struct{}{}
		}
		for after := wire.Seq(0); after <= floor; after += 3 {
			var want []wire.Key
			for _, ch := range h.channels {
				if wire.LogOf(ch, h.Source.Logs()) == p && h.lastIn(p, ch, after, floor) > 0 {
					want = append(want, wire.FramesKey(ch))
				}
			}
			got := h.Source.Lost(nil, p, keys, after, floor)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("log %d in (%d, %d]: lost %x, want %x", p, after, floor, got, want)
			}
		}
	}
}

func checkTrimmedFill(t *testing.T, h *history) {
	floors := h.trim()
	for _, ch := range h.channels {
		p := wire.LogOf(ch, h.Source.Logs())
		end := h.Source.Tail(p).End()
		for _, oldest := range []bool{false, true} {
			for after := wire.Seq(0); after <= end; after += 7 {
				for _, upto := range []wire.Seq{end, max(after, floors[p]), max(after, floors[p]/2), (after + end) / 2} {
					h.checkGone(t, ch, after, upto, min(upto, floors[p]), oldest)
				}
			}
		}
	}
}

// checkGone fills ch in (after, upto], of which the log has what is above floor.
func (h *history) checkGone(t *testing.T, ch wire.Channel, after, upto, floor wire.Seq, oldest bool) {
	t.Helper()
	p := wire.LogOf(ch, h.Source.Logs())
	a := h.Source.Query(t.Context(), "edge", &wire.Query{
		T: wire.QFill, Chs: []wire.Channel{ch}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{upto}, Oldest: oldest,
	}, 0)
	if a.Err != nil || len(a.Fills) != 1 {
		t.Fatalf("fill %s (%d, %d]: %+v", ch, after, upto, a)
	}
	f := a.Fills[0]
	gone := h.lastIn(p, ch, after, floor)
	if whole := oldest || f.Floor <= max(after, gone); whole && f.Gone != gone || !whole && f.Gone != 0 {
		t.Fatalf("fill %s (%d, %d] over %d, oldest %v: gone %d, want %d", ch, after, upto, floor, oldest, f.Gone, gone)
	}
	if f.Gone > 0 && f.Floor != f.Gone || f.Floor < after || f.Upto > upto || f.Upto < upto && !f.More {
		t.Fatalf("fill %s (%d, %d] is (%d, %d], gone %d, more %v", ch, after, upto, f.Floor, f.Upto, f.Gone, f.More)
	}
	var got []place
	for _, b := range f.Frames {
		got = append(got, placeOf(t, b))
	}
	want := h.in(p, max(f.Floor, floor), f.Upto, func(c wire.Channel) bool { return c == ch })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("fill %s (%d, %d] over %d (-published +filled):\n%s", ch, after, upto, floor, diff)
	}
}

func checkTrimmedRead(t *testing.T, h *history) {
	for p, floor := range h.trim() {
		end := h.Source.Tail(p).End()
		got := h.readAll(t, p, floor/2, floor, func([2]wire.Key) bool { return true })
		if diff := cmp.Diff(h.in(p, floor, end, every), got); diff != "" {
			t.Errorf("log %d after %d (-published +read):\n%s", p, floor, diff)
		}
	}
}

// checkFillOldest reads whole channels in order, piece by piece.
func checkFillOldest(t *testing.T, h *history) {
	for _, ch := range h.channels {
		p := wire.LogOf(ch, h.Source.Logs())
		end := h.Source.Tail(p).End()
		for start := wire.Seq(0); start <= end; start += 5 {
			var got []place
			for after, more := start, true; more; {
				a := h.Source.Query(t.Context(), "edge", &wire.Query{
					T: wire.QFill, Chs: []wire.Channel{ch}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{end}, Oldest: true, Bytes: 500,
				}, 0)
				if a.Err != nil || len(a.Fills) != 1 {
					t.Fatalf("fill %s (%d, %d]: %+v", ch, after, end, a)
				}
				f := a.Fills[0]
				if f.Floor != after || f.Gone != 0 || f.More != (f.Upto < end) || f.More && f.Upto <= after {
					t.Fatalf("fill %s (%d, %d] is (%d, %d], gone %d, more %v", ch, after, end, f.Floor, f.Upto, f.Gone, f.More)
				}
				for _, b := range f.Frames {
					got = append(got, placeOf(t, b))
				}
				after, more = f.Upto, f.More
			}
			if diff := cmp.Diff(h.in(p, start, end, func(c wire.Channel) bool { return c == ch }), got); diff != "" {
				t.Fatalf("%s after %d (-published +filled):\n%s", ch, start, diff)
			}
		}
	}
}
