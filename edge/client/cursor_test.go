package client

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

const (
	chA wire.Channel = "room:a"
	chB wire.Channel = "room:b"
)

func started(t *testing.T, at ...wire.Seq) *Cursor {
	t.Helper()
	c := new(Cursor)
	if err := c.Welcome(&wire.Welcome{Cursor: wire.Cursor{Epoch: "e", At: wire.AtOf(at), V: 10}}); err != nil {
		t.Fatal(err)
	}
	return c
}

func frame(ch wire.Channel, seq, prev wire.Seq) *Message {
	return &Message{Ch: ch, Seq: seq, Prev: prev}
}

func back(ch wire.Channel, seq, prev wire.Seq) *Message {
	return &Message{Ch: ch, Seq: seq, Prev: prev, Back: true}
}

func expect(t *testing.T, c *Cursor, m *Message, want Verdict) {
	t.Helper()
	if got := c.Message(m); got != want {
		t.Fatalf("frame %s %d (back %v): verdict %d, want %d; cursor %+v", m.Ch, m.Seq, m.Back, got, want, c.Snapshot())
	}
}

func stands(t *testing.T, c *Cursor, at, v wire.Seq, behind map[wire.Channel]wire.Seq) {
	t.Helper()
	want := wire.Cursor{Epoch: "e", At: wire.At{"0": at}, Behind: behind, V: v}
	if diff := cmp.Diff(want, c.Snapshot()); diff != "" {
		t.Fatalf("cursor (-want +got):\n%s", diff)
	}
}

func TestLateChannel(t *testing.T) {
	c := started(t, 100)
	c.Joined(&wire.Joined{Ch: chA, From: 40, V: 11})
	stands(t, c, 100, 11, map[wire.Channel]wire.Seq{chA: 40}) // a cut now loses nothing
	expect(t, c, back(chA, 50, 40), Fresh)
	expect(t, c, frame(chB, 110, 90), Fresh) // other channels never wait
	expect(t, c, back(chA, 120, 50), Fresh)
	expect(t, c, back(chA, 120, 50), Duplicate)
	expect(t, c, frame(chB, 115, 110), Fresh) // and back frames move no log
	if err := c.Moved(&wire.CursorMoved{At: wire.At{"0": 130}, V: 12}); err != nil {
		t.Fatal(err)
	}
	stands(t, c, 130, 12, map[wire.Channel]wire.Seq{chA: 120}) // a cursor message covers no late channel
	c.Live(&wire.Live{Ch: chA, Seq: 140})
	stands(t, c, 130, 12, map[wire.Channel]wire.Seq{chA: 140})
	expect(t, c, frame(chA, 140, 120), Duplicate)
	expect(t, c, frame(chB, 141, 110), Fresh)
	stands(t, c, 141, 12, nil)
	expect(t, c, frame(chA, 142, 120), Fresh)
}

func TestLiveWithoutAnEntryKeepsItsOwnPosition(t *testing.T) {
	c := started(t, 100)
	c.Live(&wire.Live{Ch: chA, Seq: 105})
	expect(t, c, frame(chA, 105, 90), Duplicate)
	expect(t, c, frame(chB, 105, 90), Fresh)
	stands(t, c, 105, 10, nil)
}

func TestUnmarkedFrameEndsLateness(t *testing.T) {
	c := started(t, 100)
	c.Joined(&wire.Joined{Ch: chA, From: 100, V: 11})
	expect(t, c, frame(chA, 101, 100), Fresh)
	stands(t, c, 101, 11, nil)
}

func TestGapMovesItsChannelOnly(t *testing.T) {
	c := started(t, 100)
	if !c.Gap(&wire.Gap{Ch: chA, From: 101, To: 500}) {
		t.Fatal("the gap was not new")
	}
	if c.Gap(&wire.Gap{Ch: chA, From: 101, To: 500}) {
		t.Fatal("the same gap was new twice")
	}
	expect(t, c, frame(chB, 300, 90), Fresh)
	expect(t, c, frame(chA, 500, 490), Duplicate)
	expect(t, c, frame(chA, 501, 500), Fresh)
	stands(t, c, 501, 10, nil)
}

func TestHole(t *testing.T) {
	c := started(t, 100)
	expect(t, c, frame(chA, 120, 110), Fresh) // never heard: unknown is not a hole
	expect(t, c, frame(chA, 140, 130), Hole)
	stands(t, c, 120, 10, nil)
	expect(t, c, frame(chA, 130, 120), Fresh)
	expect(t, c, frame(chA, 140, 130), Fresh)
	c.Joined(&wire.Joined{Ch: chB, From: 50, V: 11})
	expect(t, c, back(chB, 70, 60), Hole)
}

func TestRejoinRepeatsNoFrame(t *testing.T) {
	c := started(t, 0)
	expect(t, c, frame(chA, 70, 0), Fresh) // delivered by an edge that had not heard of the leave
	c.Joined(&wire.Joined{Ch: chB, From: 30, V: 10})
	c.Joined(&wire.Joined{Ch: chB, From: 20, V: 10}) // never backwards
	stands(t, c, 70, 10, map[wire.Channel]wire.Seq{chB: 30})
	c.Left(&wire.Left{Ch: chB, V: 10})
	stands(t, c, 70, 10, nil)
	c.Left(&wire.Left{Ch: chA, V: 11})
	c.Joined(&wire.Joined{Ch: chA, From: 60, V: 12})
	expect(t, c, back(chA, 70, 60), Duplicate)
	expect(t, c, back(chA, 80, 70), Fresh)
}

func TestResumedWelcomeMovesNothing(t *testing.T) {
	c := started(t, 100)
	c.Joined(&wire.Joined{Ch: chA, From: 130, V: 11})
	c.Live(&wire.Live{Ch: chA, Seq: 140})
	w := &wire.Welcome{Resumed: true, Cursor: wire.Cursor{Epoch: "e", At: wire.At{"0": 100}, V: 20}}
	if err := c.Welcome(w); err != nil {
		t.Fatal(err)
	}
	stands(t, c, 100, 11, map[wire.Channel]wire.Seq{chA: 140})
	expect(t, c, frame(chB, 150, 0), Fresh)
	expect(t, c, back(chA, 145, 140), Fresh) // late again, its log already further
}

func TestFreshWelcomeForgets(t *testing.T) {
	c := started(t, 100)
	expect(t, c, frame(chA, 120, 90), Fresh)
	c.Joined(&wire.Joined{Ch: chB, From: 50, V: 11})
	w := &wire.Welcome{Cursor: wire.Cursor{Epoch: "e", At: wire.At{"0": 5}, V: 3}}
	if err := c.Welcome(w); err != nil {
		t.Fatal(err)
	}
	stands(t, c, 5, 3, nil)
	expect(t, c, frame(chA, 6, 0), Fresh)
}

func TestSubscribedAgainFromThePast(t *testing.T) {
	c := started(t, 0)
	expect(t, c, frame("topic:x", 70, 0), Fresh)
	c.Unsubscribed("topic:x")
	c.Subscribed("topic:x", 0, 20)
	expect(t, c, back("topic:x", 70, 20), Fresh)
}

func TestDefectsOfWelcome(t *testing.T) {
	for name, w := range map[string]*wire.Welcome{
		"lacks an epoch": {Cursor: wire.Cursor{At: wire.At{"0": 1}}},
		"lacks a log":    {Cursor: wire.Cursor{Epoch: "e", At: wire.At{"1": 1}}},
		"other epoch":    {Resumed: true, Cursor: wire.Cursor{Epoch: "f", At: wire.At{"0": 1}}},
	} {
		c := started(t, 1)
		if err := c.Welcome(w); !errors.Is(err, errDefect) {
			t.Errorf("%s: error %v", name, err)
		}
		stands(t, c, 1, 10, nil)
	}
	if err := started(t, 1).Moved(&wire.CursorMoved{At: wire.At{"x": 1}}); !errors.Is(err, errDefect) {
		t.Errorf("a cursor message of log x: error %v", err)
	}
}
