package feed_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// trimming keeps some dozen frames of 1000 bytes.
func trimming(lc *corelog.Config, _ *feed.Config) { lc.Logs, lc.MaxBytes = 1, 20_000 }

// What the log has let go by itself is known by channel: what a fill, a page and
// a read say, and the prevs, are the same as before.
func TestFillSaysWhatIsGone(t *testing.T) {
	c := start(t, trimming)
	var last wire.Seq
	for range 100 {
		c.publish("room:quiet", 10, 1)
		_, last = c.publish("room:r", 1000, 1)
	}
	floor := c.log.Floor(0)
	if floor < 100 || floor >= last {
		t.Fatalf("the log begins after %d of %d", floor, last)
	}
	gone := floor / 2 * 2 // of room:r
	fill := func(after wire.Seq) wire.Fill {
		return c.ask(&wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r"}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{last}}).Fills[0]
	}
	f := fill(20)
	frames := framesOf(t, f.Frames)
	if f.Gone != gone || f.Floor != gone || len(frames) == 0 || frames[0] != (frame{gone + 2, gone}) {
		t.Errorf("gone %d, floor %d, frames %v; want both %d, and the first one's prev", f.Gone, f.Floor, frames, gone)
	}
	if f := fill(gone); f.Gone != 0 || f.Floor != gone {
		t.Errorf("from the last that is gone: gone %d, floor %d", f.Gone, f.Floor)
	}
	again := c.again()
	records, upto, cut, err := again.Read(t.Context(), 0, 5, func([2]wire.Key) bool { return true })
	if err != nil || cut != floor || len(records) == 0 || records[0].Seq != floor+1 || upto != last {
		t.Errorf("read after 5: floor %d, upto %d, %d records, %v", cut, upto, len(records), err)
	}
	places := make([][]byte, len(records))
	for i, r := range records {
		places[i] = r.Bytes
	}
	for _, f := range framesOf(t, places) {
		if f.Prev != f.Seq-2 {
			t.Errorf("prev of %d is %d, want %d", f.Seq, f.Prev, f.Seq-2)
		}
	}
}

func TestFillReachesDownInPages(t *testing.T) {
	c := start(t, func(lc *corelog.Config, _ *feed.Config) { lc.Logs = 1 })
	var want []frame
	for i := range wire.Seq(60) { // of 60,000 bytes: 3.6 MB, fills have 1 MiB
		c.publish("room:r", 60_000, 1)
		want = append(want, frame{2*i + 1, 2*i - min(2*i, 1)})
		c.publish("room:other", 10, 1)
	}
	var got []frame
	asked := 0
	for upto := wire.Seq(120); upto > 0; asked++ {
		f := c.ask(&wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r"}, Afters: []wire.Seq{0}, Uptos: []wire.Seq{upto}}).Fills[0]
		if f.Floor >= upto || f.Upto != upto {
			t.Fatalf("asked up to %d, got (%d, %d]", upto, f.Floor, f.Upto)
		}
		got = append(framesOf(t, f.Frames), got...)
		upto = f.Floor
	}
	if diff := cmp.Diff(want, got); diff != "" || asked < 4 || asked > 6 {
		t.Errorf("%d questions (-want +got):\n%s", asked, diff)
	}
	// One answer has its own bound: channels past it are left for the next.
	many := &wire.Query{T: wire.QFill}
	for range 8 {
		many.Chs, many.Afters, many.Uptos = append(many.Chs, "room:r"), append(many.Afters, 0), append(many.Uptos, 120)
	}
	fills := c.ask(many).Fills
	if len(fills) != 8 || len(fills[0].Frames) == 0 || len(fills[7].Frames) != 0 || fills[7].Floor != 120 {
		t.Errorf("of 8 fills, the last has %d frames after %d", len(fills[7].Frames), fills[7].Floor)
	}
}

func TestHistoryPagesBothWays(t *testing.T) {
	c := start(t, func(lc *corelog.Config, _ *feed.Config) { lc.Logs = 1 })
	var all []wire.Seq
	for range 25 {
		_, seq := c.publish("room:r", 10, 1)
		c.publish("room:other", 10, 1)
		all = append(all, seq)
	}
	read := func(before, after *wire.Seq) (feed.Page, []wire.Seq) {
		page, err := c.History(t.Context(), "room:r", before, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		seqs := []wire.Seq{}
		for _, f := range framesOf(t, page.Frames) {
			seqs = append(seqs, f.Seq)
			if f.Prev >= f.Seq || slices.ContainsFunc(all, func(s wire.Seq) bool { return s > f.Prev && s < f.Seq }) {
				t.Errorf("frame %d says that there is none after %d", f.Seq, f.Prev)
			}
		}
		if page.Last != all[24] || page.Floor != 0 || page.More != (page.Next > 0) {
			t.Errorf("page %+v", page)
		}
		return page, seqs
	}
	var down []wire.Seq
	var before *wire.Seq
	for range 3 {
		page, seqs := read(before, nil)
		down = append(seqs, down...)
		before = &page.Next
	}
	if !slices.Equal(down, all) || *before != 0 {
		t.Errorf("downward %v, then %d", down, *before)
	}
	var up []wire.Seq
	after := new(wire.Seq)
	for range 3 {
		page, seqs := read(nil, after)
		up = append(up, seqs...)
		after = &page.Next
	}
	if !slices.Equal(up, all) || *after != 0 {
		t.Errorf("upward %v, then %d", up, *after)
	}
	at := func(s wire.Seq) *wire.Seq { return &s }
	for _, c := range []struct {
		before, after *wire.Seq
		want          []wire.Seq
	}{
		{at(0), nil, nil},
		{at(1), nil, nil},
		{at(1), at(0), nil},
		{at(3), at(9), nil},
		{at(8), at(2), []wire.Seq{3, 5, 7}},
		{at(6), nil, []wire.Seq{1, 3, 5}},
		{nil, at(49), nil},
		{nil, at(1 << 40), nil},
	} {
		if _, got := read(c.before, c.after); !slices.Equal(got, c.want) {
			t.Errorf("between %v and %v: %v, want %v", c.after, c.before, got, c.want)
		}
	}
	if page, err := c.History(t.Context(), "room:none", nil, nil, -5); err != nil || len(page.Frames) != 0 || page.Last != 0 || page.More {
		t.Errorf("of an empty channel: %+v, %v", page, err)
	}
}

func TestHistoryOfATrimmedLogSaysItsFloor(t *testing.T) {
	c := start(t, trimming)
	c.publish("room:quiet", 10, 1)
	for range 99 {
		c.publish("room:r", 1000, 1)
	}
	floor := c.log.Floor(0)
	after := wire.Seq(3)
	a := c.ask(&wire.Query{T: wire.QHistory, Ch: "room:r", After: &after, Limit: 5})
	if frames := framesOf(t, a.Frames); a.Floor != floor || a.Last != 100 || len(frames) != 5 || frames[0] != (frame{floor + 1, floor}) {
		t.Errorf("floor %d, last %d, frames %v; want floor %d", a.Floor, a.Last, frames, floor)
	}
	if a := c.ask(&wire.Query{T: wire.QHistory, Ch: "room:quiet"}); a.Floor != 1 || a.Last != 1 || len(a.Frames) > 0 {
		t.Errorf("of a room whose one frame is gone: floor %d, last %d, %d frames", a.Floor, a.Last, len(a.Frames))
	}
	if a := c.ask(&wire.Query{T: wire.QHistory, Ch: "room:none"}); a.Floor != 0 || a.Last != 0 || len(a.Frames) > 0 {
		t.Errorf("of a room without frames: floor %d, last %d, %d frames", a.Floor, a.Last, len(a.Frames))
	}
	c.publish("room:quiet", 10, 1)
	if a := c.ask(&wire.Query{T: wire.QHistory, Ch: "room:quiet"}); a.Floor != 1 || a.Last != 101 || len(a.Frames) != 1 {
		t.Errorf("when it speaks again: floor %d, last %d, %d frames", a.Floor, a.Last, len(a.Frames))
	}
}
