package edge

import (
	"slices"
	"strings"
	"testing"

	"selvedge/edge/cache"
	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

func frame(ch wire.Channel, p wire.LogID, seq, prev wire.Seq) tail.Record {
	body := wire.AppendBody(nil, &wire.Post{Ch: ch, TS: 1, Data: wire.Data{0x01}})
	return tail.Record{Seq: seq, Kind: tail.Frame, Bytes: wire.AppendFrame(nil, p, seq, prev, body)}
}

func begin(t *testing.T, f *follower, epoch string, ends ...wire.Seq) {
	t.Helper()
	if err := f.Begin(epoch, len(ends)-1, ends); err != nil {
		t.Fatal(err)
	}
}

// positions are where the follower stands, the state log last.
func positions(f *follower) (out []wire.Seq) {
	for p := range f.w.cache.Logs() {
		out = append(out, f.Position(wire.LogID(p)))
	}
	return append(out, f.Position(wire.StateLog))
}

// The logs are followed from their ends, then from where this edge stands; in
// another epoch from their ends again.
func TestWhereLogsAreFollowedFrom(t *testing.T) {
	f := newFollower(t)
	begin(t, f, "e1", 10, 20, 7)
	if got := positions(f); !slices.Equal(got, []wire.Seq{10, 20, 7}) {
		t.Errorf("the first core's logs are followed from %v", got)
	}
	f.Records(0, []tail.Record{{Kind: tail.Watermark, Seq: 15}})
	f.Records(wire.StateLog, []tail.Record{{Kind: tail.Watermark, Seq: 9}})
	if got := positions(f); !slices.Equal(got, []wire.Seq{15, 20, 9}) {
		t.Errorf("then they are followed from %v, want 15 20 9", got)
	}
	begin(t, f, "e2", 3, 4, 5)
	if got := positions(f); !slices.Equal(got, []wire.Seq{3, 4, 5}) {
		t.Errorf("another epoch is followed from %v", got)
	}
	if err := f.Begin("e3", 3, []wire.Seq{1, 1, 1, 1}); err == nil || !strings.Contains(err.Error(), "3 logs") {
		t.Errorf("another number of logs: %v", err)
	}
}

func TestAChannelIsLiveFromItsMarker(t *testing.T) {
	f := newFollower(t)
	begin(t, f, "e1", 10, 7)
	quiet, _ := f.w.cache.Acquire("room:quiet")
	moved, _ := f.w.cache.Acquire("room:moved")
	f.Records(0, []tail.Record{frame("room:moved", 0, 11, 0)}) // before the marker: not ours yet
	f.Live(0, []upstream.Want{
		{Key: wire.FramesKey(quiet.Name), Since: 8, Token: quiet}, {Key: wire.FramesKey(moved.Name), Since: 10, Token: moved},
	}, link.Marker{ID: 1, Seq: 12, Moved: []wire.Key{wire.FramesKey(moved.Name)}})
	for ch, want := range map[*cache.Channel]wire.Seq{quiet: 8, moved: 12} {
		if floor, live := ch.Floor(); !live || floor != want {
			t.Errorf("%s is live %t from %d, want %d", ch.Name, live, floor, want)
		}
	}
	f.Records(0, []tail.Record{frame("room:quiet", 0, 13, 0), {Kind: tail.Watermark, Seq: 20}})
	if pos := f.w.cache.Log(0).Pos(); pos != 20 {
		t.Errorf("the log stands at %d, want 20", pos)
	}
	frames, a, _ := quiet.Read(nil, 8, 20, 1<<20)
	if a != cache.Complete || len(frames) != 1 || frames[0].Seq != 13 {
		t.Errorf("read %d frames, %d", len(frames), a)
	}
}

// A broken or hostile core can't take the edge down.
func TestNonsenseFromTheCoreIsLeftOut(t *testing.T) {
	f := newFollower(t)
	begin(t, f, "e1", 10, 7)
	f.Records(0, []tail.Record{{Kind: tail.Frame, Bytes: []byte("nonsense")}, {Kind: tail.Frame}})
	f.Records(wire.StateLog, []tail.Record{{Kind: tail.State, Bytes: []byte{0xc1}}, {Kind: tail.State}})
	f.Live(wire.StateLog, nil, link.Marker{Seq: 8})
	f.Gap(wire.StateLog, 5, nil)
	f.Signal(&wire.Signal{Ch: "room:nobody"})
	if got := positions(f); !slices.Equal(got, []wire.Seq{10, 7}) {
		t.Errorf("nonsense moved the positions to %v", got)
	}
}

func TestAGapMovesTheLog(t *testing.T) {
	f := newFollower(t)
	begin(t, f, "e1", 10, 7)
	f.Gap(0, 50, nil)
	if got := positions(f); got[0] != 50 {
		t.Errorf("after a gap up to 50 the log is followed from %d", got[0])
	}
}

// A sibling's watermark says that frames go on. It does not make an edge ready: only a
// core's does, whichever log it is of.
func TestWhoseWatermarksCount(t *testing.T) {
	f := newFollower(t)
	begin(t, f, "e1", 10, 10, 7)
	f.n.siblings.relay.Placed(0, true)
	f.n.siblings.relay.Placed(1, false)
	f.n.siblings.relay.Placed(wire.StateLog, true)
	for _, c := range []struct {
		p    wire.LogID
		want bool
	}{{0, true}, {1, false}, {wire.StateLog, true}} {
		f.n.lastWater.Store(0)
		f.Records(c.p, []tail.Record{{Kind: tail.Watermark, Seq: 20}})
		if got := f.n.lastWater.Load() != 0; got != c.want {
			t.Errorf("a watermark of log %d counts: %t, want %t", c.p, got, c.want)
		}
		if pos := f.Position(c.p); pos != 20 {
			t.Errorf("log %d stands at %d, want 20", c.p, pos)
		}
	}
}
