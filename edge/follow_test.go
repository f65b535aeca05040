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

func linked(t *testing.T, f *follower, epoch string, ends ...wire.Seq) []wire.Seq {
	t.Helper()
	after, err := f.Linked(epoch, len(ends)-1, ends)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// A first link starts at the ends; the next goes on where this edge stands;
// another epoch starts at its ends.
func TestWhereALinkGoesOn(t *testing.T) {
	f := newFollower(t)
	if got := linked(t, f, "e1", 10, 20, 7); !slices.Equal(got, []wire.Seq{10, 20, 7}) {
		t.Errorf("the first link follows from %v", got)
	}
	f.Records(0, []tail.Record{{Kind: tail.Watermark, Seq: 15}})
	f.Records(wire.StateLog, []tail.Record{{Kind: tail.Watermark, Seq: 9}})
	if got := linked(t, f, "e1", 30, 30, 30); !slices.Equal(got, []wire.Seq{15, 20, 9}) {
		t.Errorf("the next link follows from %v, want 15 20 9", got)
	}
	// A restored copy that kept its epoch would pass new frames off as old ones.
	for _, ends := range [][]wire.Seq{{14, 20, 9}, {15, 19, 9}, {15, 20, 8}} {
		if _, err := f.Linked("e1", 2, ends); err == nil || !strings.Contains(err.Error(), "epoch.json") {
			t.Errorf("logs that end at %v, before what was seen of them: %v", ends, err)
		}
	}
	if got := linked(t, f, "e2", 3, 4, 5); !slices.Equal(got, []wire.Seq{3, 4, 5}) {
		t.Errorf("another epoch is followed from %v", got)
	}
	if got := linked(t, f, "e2", 30, 30, 30); !slices.Equal(got, []wire.Seq{3, 4, 5}) {
		t.Errorf("and then from %v", got)
	}
	if _, err := f.Linked("e2", 3, []wire.Seq{1, 1, 1, 1}); err == nil || !strings.Contains(err.Error(), "3 logs") {
		t.Errorf("another number of logs: %v", err)
	}
}

func TestAChannelIsLiveFromItsMarker(t *testing.T) {
	f := newFollower(t)
	linked(t, f, "e1", 10, 7)
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
	linked(t, f, "e1", 10, 7)
	f.Records(0, []tail.Record{{Kind: tail.Frame, Bytes: []byte("nonsense")}, {Kind: tail.Frame}})
	f.Records(wire.StateLog, []tail.Record{{Kind: tail.State, Bytes: []byte{0xc1}}, {Kind: tail.State}})
	f.Live(wire.StateLog, nil, link.Marker{Seq: 8})
	f.Gap(wire.StateLog, 5)
	f.Signal(&wire.Signal{Ch: "room:nobody"})
	if got := linked(t, f, "e1", 10, 7); !slices.Equal(got, []wire.Seq{10, 7}) {
		t.Errorf("nonsense moved the positions to %v", got)
	}
}

func TestAGapMovesTheLog(t *testing.T) {
	f := newFollower(t)
	linked(t, f, "e1", 10, 7)
	f.Gap(0, 50)
	if got := linked(t, f, "e1", 60, 7); got[0] != 50 {
		t.Errorf("after a gap up to 50 the log is followed from %d", got[0])
	}
}
