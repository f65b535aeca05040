package feed

import (
	"context"
	"testing"

	"selvedge/core/feed/chain"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// twins is a log of two channels by turns, in which a chain takes both for one.
type twins struct {
	Log
	floor wire.Seq
	alone bool              // there is no twin
	holes map[wire.Seq]bool // that are not found where they are, but by a scan
}

const (
	twinA = wire.Channel("room:a") // odd positions
	twinB = wire.Channel("room:b")
)

func (l *twins) Epoch() string             { return "e" }
func (l *twins) Logs() int                 { return 1 }
func (l *twins) End(wire.LogID) wire.Seq   { return 10_000 }
func (l *twins) Floor(wire.LogID) wire.Seq { return l.floor }
func (l *twins) at(s wire.Seq) (ch wire.Channel, there bool) {
	if ch = twinB; l.alone || s%200 == 100 {
		ch = twinA
	}
	return ch, s%100 == 0 && s > l.floor && s <= 10_000
}

func (l *twins) ReadAt(_ context.Context, _ wire.LogID, seqs []wire.Seq) (out []corelog.Stored, _ error) {
	for _, s := range seqs {
		if ch, there := l.at(s); there && !l.holes[s] {
			out = append(out, twin(ch, s))
		}
	}
	return out, nil
}

func twin(ch wire.Channel, s wire.Seq) corelog.Stored {
	return corelog.Stored{Seq: s, Body: wire.AppendBody(nil, &wire.Post{Ch: ch, Data: wire.Data{0xc3}})}
}

func (l *twins) ReadChannel(_ context.Context, want wire.Channel, after, upto wire.Seq, limit, _ int) (out []corelog.Stored, _ bool, _ error) {
	for s := after + 1; s <= 10_000 && (upto == 0 || s <= upto); s++ {
		if ch, there := l.at(s); there && ch == want {
			if len(out) == limit {
				return out, true, nil
			}
			out = append(out, twin(ch, s))
		}
	}
	return out, false, nil
}

func (l *twins) ReadBefore(ctx context.Context, ch wire.Channel, before wire.Seq, limit, _ int) ([]corelog.Stored, bool, error) {
	if before == 0 {
		before = 1 << 60
	}
	all, _, err := l.ReadChannel(ctx, ch, 0, before-1, 1<<20, 0)
	first := max(0, len(all)-limit)
	return all[first:], first > 0, err
}

// Two channels of one hash: more is said to have moved, or to be gone, than was,
// but every frame is found, and none of the other's. And what is not found where it
// is, as by a copy of the log that is behind, is looked for.
func TestTwinsOfOneHash(t *testing.T) {
	for name, l := range map[string]*twins{
		"whole": {}, "trimmed": {floor: 5_050}, "holes": {holes: map[wire.Seq]bool{400: true, 7_500: true}, alone: true},
	} {
		f := &Feed{cfg: Config{Log: l}, logs: 1, tails: map[wire.LogID]*tail.Tail{0: tail.New(0, 10_000)}, chain: []*chain.Chain{chain.Open(chain.Config{})}}
		for s := wire.Seq(1); s <= 10_000; s++ {
			if s%100 == 0 {
				f.chain[0].Add(wire.FramesKey(twinA), s, 1)
			} else {
				f.chain[0].Pass(s)
			}
		}
		for _, oldest := range []bool{false, true} {
			for after := wire.Seq(0); after < 10_000; after += 370 {
				checkTwin(t, name, f, l, after, oldest)
			}
		}
	}
}

func checkTwin(t *testing.T, name string, f *Feed, l *twins, after wire.Seq, oldest bool) {
	t.Helper()
	a, err := f.fill(t.Context(), &wire.Query{Chs: []wire.Channel{twinA}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{10_000}, Oldest: oldest})
	if err != nil {
		t.Fatal(err)
	}
	fill := a.Fills[0]
	n := 0
	for s := max(after, l.floor) + 1; s <= 10_000; s++ {
		if ch, there := l.at(s); there && ch == twinA && s > fill.Floor {
			if fr, err := wire.ParseFrame(fill.Frames[min(n, len(fill.Frames)-1)]); err != nil || fr.Seq != s || fr.Prev >= s {
				t.Fatalf("%s after %d: frame %d is at %d, prev %d; want %d; %v", name, after, n, fr.Seq, fr.Prev, s, err)
			}
			n++
		}
	}
	if n != len(fill.Frames) || fill.Upto != 10_000 {
		t.Errorf("%s after %d: %d frames up to %d, want %d", name, after, len(fill.Frames), fill.Upto, n)
	}
	lost := wire.Seq(0)
	for s := after + 1; s <= l.floor; s++ {
		if s%200 == 100 {
			lost = s
		}
	}
	if fill.Gone < lost || fill.Gone > l.floor {
		t.Errorf("%s after %d: gone %d, want %d at least", name, after, fill.Gone, lost)
	}
}
