package upstream

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestAQueryWaitsForALink(t *testing.T) {
	c, s := newCore(t), newSink()
	var known atomic.Bool
	u, changed := start(t, s, func() []Target {
		if !known.Load() {
			return nil
		}
		return only(c)()
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
		return &wire.Answer{Epoch: "again"}
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
			u, _ := start(t, s, only(c))
			a, err := u.Query(t.Context(), q)
			if err != nil || a.Epoch != "again" || c.asked() != 2 {
				t.Errorf("%+v, %v after %d questions; want the second's answer", a, err, c.asked())
			}
		})
	}
}

// Without an id nobody can tell whether it was published.
func TestAPublishWithoutAnIDIsNotAskedAgain(t *testing.T) {
	c, s := newCore(t), newSink()
	holdFirst(c)
	u, _ := start(t, s, only(c))
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
	u, _ := start(t, s, only(c))
	if _, err := u.Query(t.Context(), &wire.Query{T: wire.QFill}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	if c.asked() != 1 {
		t.Errorf("it was asked %d times", c.asked())
	}
}

// A session that waits for a link asks in the moment that there is one: it must
// be answered from after its interest, never refused because the link is young.
func TestAQueryWithAMarkerIsAnsweredOnEveryYoungLink(t *testing.T) {
	c, s := newCore(t), newSink()
	u, changed := start(t, s, only(c))
	number := make(chan uint64, 1)
	u.Want(wire.StateLog, Want{Key: 1, Since: link.Live, Token: "x", Sent: func(id uint64) { number <- id }})
	marker := <-number
	for range 50 {
		links := s.links()
		c.srv.Reset("cut")
		until(t, "the cut", func() bool { return get(s, func(s *sink) int { return s.cuts }) >= links })
		changed <- struct{}{} // or it would pause
		a, err := u.Query(t.Context(), &wire.Query{T: wire.QHello, P: wire.StateLog, Marker: marker})
		if err != nil || a.Err != nil {
			t.Fatalf("after %d links: %+v, %v", s.links(), a, err)
		}
	}
}
