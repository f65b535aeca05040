package upstream

import (
	"context"
	"errors"
	"time"

	"selvedge/wire"
)

// way is a link to ask by.
type way struct {
	s    *session      // nil = there is none now
	away chan struct{} // closed when what is asked about moves elsewhere; nil = never
}

// askLocked is the way of a question: a publish goes to the nearest core, each of
// which can append; every other to the core that serves the log that it is about,
// as the state log's for users and rooms: that one has all that we have seen.
func (u *Upstream) askLocked(q *wire.Query) way {
	p := wire.StateLog
	switch {
	case u.count == 0:
		return way{}
	case q.T == wire.QPublish:
		return way{s: u.appenderLocked(time.Now())}
	case q.T == wire.QFill && len(q.Chs) > 0:
		p = wire.LogOf(q.Chs[0], u.count)
	case q.T == wire.QHistory:
		p = wire.LogOf(q.Ch, u.count)
	case q.Marker > 0:
		p = q.P
	}
	if lg := u.logs[p]; lg != nil && (lg.phase == placed || lg.phase == open) {
		return way{lg.at, lg.away}
	}
	return way{}
}

// Query asks the core that q concerns, and waits for a link to it as long as ctx
// lets it. A query whose link breaks is asked again, as is one that names a
// marker of a log that moves; but for a publish without an idempotency id: that
// one fails with ErrUnavailable, as does a query that the core doesn't answer
// over a link that holds, and one whose answer is of another epoch than the link.
func (u *Upstream) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	switch {
	case q.T == wire.QFill && len(q.Chs) > 1:
		return u.fills(ctx, q)
	case q.T == wire.QPublish:
		return u.publish(ctx, q)
	}
	return u.ask(ctx, q)
}

func (u *Upstream) ask(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	for {
		u.mu.Lock()
		to, linked := u.askLocked(q), u.linked
		u.mu.Unlock()
		if to.s == nil {
			select {
			case <-linked:
				continue
			case <-ctx.Done():
				return nil, ErrUnavailable
			}
		}
		a, err := to.ask(ctx, q)
		switch {
		case err == nil:
			return a, nil
		case ctx.Err() != nil || q.T == wire.QPublish && q.MsgID == "" || errors.Is(err, errEpoch):
			return nil, errors.Join(ErrUnavailable, err)
		}
		select { // the link tells a little later that it is broken, if it is
		case <-to.s.l.Done():
		case <-to.away:
			continue
		case <-ctx.Done():
			return nil, ErrUnavailable
		case <-time.After(minBackoff):
			return nil, errors.Join(ErrUnavailable, err)
		}
		select {
		case <-to.s.gone:
		case <-ctx.Done():
			return nil, ErrUnavailable
		}
	}
}

// AskSibling asks an edge of our region, if there is a link to it. It fails with
// ErrUnavailable.
func (u *Upstream) AskSibling(ctx context.Context, name string, q *wire.Query) (*wire.Answer, error) {
	u.mu.Lock()
	var s *session
	if n := u.nodes[name]; n != nil && n.target.Relay {
		s = n.s
	}
	u.mu.Unlock()
	if s == nil {
		return nil, ErrUnavailable
	}
	a, err := way{s: s}.ask(ctx, q)
	if err != nil {
		return nil, errors.Join(ErrUnavailable, err)
	}
	return a, nil
}

// errEpoch: an answer came from another epoch.
var errEpoch = errors.New("the logs are changing")

// ask asks once. A question that names a marker is given up when its log moves:
// the marker never comes there.
func (w way) ask(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	if q.Marker > 0 {
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		over := make(chan struct{})
		defer close(over)
		go func() {
			select {
			case <-w.away:
				cancel()
			case <-over:
			}
		}()
		ctx = own
	}
	a, err := w.s.l.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	if a.Err == nil && a.Epoch != w.s.l.Epoch {
		return nil, errEpoch
	}
	if a.Err != nil && q.Marker > 0 && ctx.Err() != nil {
		return nil, ctx.Err() // the core says no more than that the log was closed
	}
	return a, nil
}
