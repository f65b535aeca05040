package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// refuse has a core answer publishes, and says how many it was asked for.
func (w *world) refuse(name string, refuses bool) {
	c := w.cores[name]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = func(context.Context, string, *wire.Query) *wire.Answer {
		if refuses {
			return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "no majority"}}
		}
		return &wire.Answer{Seq: 7, Epoch: c.Epoch()}
	}
}

func (w *world) published(name string) (n int) {
	c := w.cores[name]
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queries {
		if q.T == wire.QPublish {
			n++
		}
	}
	return n
}

// A core that can't append keeps no publish from being done at another, and is
// left alone for a while.
func TestAPublishPassesOverACoreThatCannotAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		near := w.u.Links()[0].Node
		for _, name := range three {
			w.refuse(name, name == near)
		}
		publish := func(id string) *wire.Answer {
			t.Helper()
			a, err := w.u.Query(t.Context(), &wire.Query{T: wire.QPublish, Ch: "room:a", From: "u", MsgID: id, Data: wire.Data{1}})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		if a := publish("1"); a.Err != nil || a.Seq != 7 {
			t.Errorf("the answer is %+v", a)
		}
		if a := publish("2"); a.Err != nil || w.published(near) != 1 {
			t.Errorf("the answer is %+v; the core that refuses was asked %d times, want 1", a, w.published(near))
		}
		w.pass(refusal)
		if a := publish("3"); a.Err != nil || w.published(near) != 2 {
			t.Errorf("later: %+v; the core that refused was asked %d times, want 2", a, w.published(near))
		}
		w.pass(refusal)
		if a := publish(""); a.Err == nil { // it may have been done
			t.Error("a publish without an id was tried twice")
		}
		if a := publish(""); a.Err != nil {
			t.Errorf("the next one: %+v", a.Err)
		}
		w.pass(refusal)
		for _, name := range three {
			w.refuse(name, true)
		}
		if a := publish("4"); a.Err == nil || a.Err.Code != wire.Unavailable {
			t.Errorf("all refuse: %+v", a)
		}
		w.refuse(near, false)
		if a := publish("5"); a.Err != nil {
			t.Errorf("all have refused, and the nearest can append: %+v", a.Err)
		}
	})
}
