package client

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

func TestARoomThatLosesTheFocus(t *testing.T) {
	c := started(t, 100)
	c.Joined(&wire.Joined{Ch: chA, From: 80, V: 11})
	c.Joined(&wire.Joined{Ch: chB, From: 90, V: 12})
	expect(t, c, back(chA, 115, 80), Fresh)
	c.Focus([]wire.RoomID{}, nil)
	stands(t, c, 100, 12, map[wire.Channel]wire.Seq{chA: 115}) // it has more than its log
	expect(t, c, frame(chA, 115, 80), Duplicate)
	c.Joined(&wire.Joined{Ch: "room:d", From: 60, V: 13})
	stands(t, c, 100, 13, map[wire.Channel]wire.Seq{chA: 115}) // no live will come
	if err := c.Moved(&wire.CursorMoved{At: wire.At{"0": 120}, V: 13}); err != nil {
		t.Fatal(err)
	}
	stands(t, c, 120, 13, nil)
	c.Focus([]wire.RoomID{"z", "d"}, map[wire.Channel]wire.Seq{"room:d": 60})
	stands(t, c, 120, 13, map[wire.Channel]wire.Seq{"room:d": 60})
	if diff := cmp.Diff([]wire.RoomID{"d", "z"}, c.Focused()); diff != "" {
		t.Errorf("focus (-want +got):\n%s", diff)
	}
	w := &wire.Welcome{Cursor: wire.Cursor{Epoch: "f", At: wire.At{"0": 5}, V: 3}}
	if err := c.Welcome(w); err != nil || len(c.Focused()) != 2 {
		t.Errorf("afresh: the focus is %v, %v", c.Focused(), err)
	}
}

func TestTopicsAreNoMatterOfFocus(t *testing.T) {
	c := started(t, 100)
	c.Subscribed("topic:x", 0, 40)
	c.Focus([]wire.RoomID{}, nil)
	if err := c.Moved(&wire.CursorMoved{At: wire.At{"0": 120}, V: 10}); err != nil {
		t.Fatal(err)
	}
	stands(t, c, 120, 10, map[wire.Channel]wire.Seq{"topic:x": 40})
}
