package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/wire"
)

func TestAQueryWaitsForALink(t *testing.T) {
	c, s := newCore(t), newSink()
	var known atomic.Bool
	u, changed := start(t, s, func() []Target {
		if !known.Load() {
			return nil
		}
		return only1(c)()
	})
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := u.Query(short, &wire.Query{T: wire.QRooms}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a link: %v, want ErrUnavailable", err)
	}
	answered := make(chan error, 1)
	go func() {
		a, err := u.Query(t.Context(), &wire.Query{T: wire.QRooms})
		if err == nil && a.Epoch != "e1" {
			err = errors.New("not the core's answer")
		}
		answered <- err
	}()
	known.Store(true)
	changed <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// holdFirst makes the core hold back its first answer until the link is cut.
func holdFirst(c *core) {
	c.answer = func(ctx context.Context, _ string, _ *wire.Query) *wire.Answer {
		if c.asked() == 1 {
			c.srv.Reset("cut")
			<-ctx.Done()
		}
		return &wire.Answer{Epoch: "e1", Next: "again"}
	}
}

func TestAQueryIsAskedAgainAfterACut(t *testing.T) {
	for name, q := range map[string]*wire.Query{
		"a read":                      {T: wire.QRooms},
		"a publish with a message id": {T: wire.QPublish, MsgID: "m1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newCore(t), newSink()
			holdFirst(c)
			u, _ := start(t, s, only1(c))
			a, err := u.Query(t.Context(), q)
			if err != nil || a.Next != "again" || c.asked() != 2 {
				t.Errorf("%+v, %v after %d questions; want the second's answer", a, err, c.asked())
			}
		})
	}
}

// Without an id nobody can tell whether it was published.
func TestAPublishWithoutAnIDIsNotAskedAgain(t *testing.T) {
	c, s := newCore(t), newSink()
	holdFirst(c)
	u, _ := start(t, s, only1(c))
	if _, err := u.Query(t.Context(), &wire.Query{T: wire.QPublish}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	until(t, "another link", func() bool { return s.links() == 2 })
	if c.asked() != 1 {
		t.Errorf("it was asked %d times", c.asked())
	}
}

// A core that can't answer one question is not asked it over and over.
func TestAQueryThatTheCoreDropsFails(t *testing.T) {
	c, s := newCore(t), newSink()
	c.answer = func(context.Context, string, *wire.Query) *wire.Answer {
		return &wire.Answer{Fills: []wire.Fill{{Frames: []wire.Data{make(wire.Data, 17<<20)}}}} // more than a link takes
	}
	u, _ := start(t, s, only1(c))
	if _, err := u.Query(t.Context(), &wire.Query{T: wire.QFill}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	if c.asked() != 1 {
		t.Errorf("it was asked %d times", c.asked())
	}
}
