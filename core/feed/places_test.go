package feed_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"selvedge/core/feed"
	"selvedge/wire"
)

// Frames that lie far apart in their log, of sizes from nothing to more than a
// page has: every way to read them finds them all, before the log is trimmed and
// after.
func TestSparseChannelsReadWhole(t *testing.T) {
	c := start(t, one)
	r := rand.New(rand.NewPCG(3, 4))
	var all []wire.Seq
	for i := range 1200 {
		ch, size := wire.Channel("room:busy"), 10
		if i%100 == 50 || i > 1180 && i%2 == 0 { // and some close together
			ch = "room:r"
			if size = r.IntN(1000); i%300 == 50 {
				size = 60_000
			}
		}
		if _, seq := c.publish(ch, size, 1); ch == "room:r" {
			all = append(all, seq)
		}
	}
	for _, floor := range []wire.Seq{0, all[4], all[4] + 1, all[9]} {
		c.cut.trim(0, floor)
		for range 30 {
			after := wire.Seq(r.IntN(1200))
			upto := after + wire.Seq(r.IntN(1200-int(after)+1))
			for _, oldest := range []bool{false, true} {
				checkSparseFill(t, c, all, floor, after, upto, oldest, 20_000+r.IntN(100_000))
			}
			checkSparseHistory(t, c, all, floor, after, upto, 1+r.IntN(8))
		}
	}
}

// within is what of all lies in (after, upto].
func within(all []wire.Seq, after, upto wire.Seq) []wire.Seq {
	out := []wire.Seq{}
	for _, s := range all {
		if s > after && s <= upto {
			out = append(out, s)
		}
	}
	return out
}

func seqsOf(t *testing.T, encoded []wire.Data) []wire.Seq {
	t.Helper()
	out := []wire.Seq{}
	for _, f := range framesOf(t, encoded) {
		out = append(out, f.Seq)
	}
	return out
}

// checkSparseFill fills until nothing is lacking.
func checkSparseFill(t *testing.T, c *core, all []wire.Seq, floor, after, upto wire.Seq, oldest bool, bytes int) {
	t.Helper()
	got, gone := []wire.Seq{}, wire.Seq(0)
	lo, hi := after, upto
	for asked := 0; ; asked++ {
		f := c.ask(&wire.Query{
			T: wire.QFill, Chs: []wire.Channel{"room:r"}, Afters: []wire.Seq{lo}, Uptos: []wire.Seq{hi}, Oldest: oldest, Bytes: bytes,
		}).Fills[0]
		gone = max(gone, f.Gone)
		if oldest {
			got = append(got, seqsOf(t, f.Frames)...)
			lo = f.Upto
		} else {
			got = append(seqsOf(t, f.Frames), got...)
			hi = f.Floor
		}
		if oldest && !f.More || !oldest && f.Floor <= max(after, f.Gone) {
			break
		}
		if asked > 20 {
			t.Fatalf("fill (%d, %d] over %d, oldest %v: it does not end: %+v", after, upto, floor, oldest, f)
		}
	}
	wantGone := wire.Seq(0)
	if lost := within(all, after, min(upto, floor)); len(lost) > 0 {
		wantGone = lost[len(lost)-1]
	}
	if want := within(all, max(after, floor), upto); !slices.Equal(got, want) || gone != wantGone {
		t.Fatalf("fill (%d, %d] over %d, oldest %v: %v, gone %d; want %v, gone %d", after, upto, floor, oldest, got, gone, want, wantGone)
	}
}

func checkSparseHistory(t *testing.T, c *core, all []wire.Seq, floor, after, upto wire.Seq, limit int) {
	t.Helper()
	before := upto + 1
	left := within(all, floor, 1<<60)
	wantFloor := wire.Seq(0)
	if lost := within(all, 0, floor); len(lost) > 0 {
		wantFloor = lost[len(lost)-1]
	}
	read := func(before, after *wire.Seq) feed.Page {
		page, err := c.History(t.Context(), "room:r", before, after, limit)
		if err != nil || page.Floor != wantFloor || page.Last != all[len(all)-1] {
			t.Fatalf("page of (%v, %v) over %d: floor %d, last %d, %v", after, before, floor, page.Floor, page.Last, err)
		}
		return page
	}
	for name, page := range map[string]feed.Page{"up": read(&before, &after), "down": read(&before, nil), "end": read(nil, nil)} {
		got, all := seqsOf(t, page.Frames), left
		switch name {
		case "up":
			all = within(left, after, upto)
			all = all[:min(len(got), len(all))]
		case "down":
			all = within(left, 0, upto)
			all = all[max(len(all)-len(got), 0):]
		case "end":
			all = all[max(len(all)-len(got), 0):]
		}
		if !slices.Equal(got, all) || page.More != (page.Next > 0) || len(got) > limit {
			t.Fatalf("page %s of %d in (%d, %d) over %d: %v, want %v", name, limit, after, before, floor, got, all)
		}
		if short := len(got) < limit; short && !page.More {
			whole := map[string][]wire.Seq{"up": within(left, after, upto), "down": within(left, 0, upto), "end": left}[name]
			if len(whole) != len(got) {
				t.Fatalf("page %s of %d in (%d, %d) over %d ends at %v of %v", name, limit, after, before, floor, got, whole)
			}
		}
	}
}

// A page read right after a publish was acknowledged has it, though the feed may
// not have come to it yet.
func TestPagesHaveWhatWasAcknowledged(t *testing.T) {
	c := start(t, one)
	for range 100 {
		placed, err := c.log.Publish(t.Context(), "key", &wire.Post{Ch: "room:r", TS: 1, Data: wire.Data{0xc3}})
		if err != nil {
			t.Fatal(err)
		}
		page, err := c.History(t.Context(), "room:r", nil, nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got := seqsOf(t, page.Frames); len(got) == 0 || got[len(got)-1] != placed.Seq || page.Last != placed.Seq {
			t.Fatalf("after %d was acknowledged, the newest are %v, the last is %d", placed.Seq, got, page.Last)
		}
	}
}
