package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"selvedge/wire"
)

const (
	welcomeTimeout = 10 * time.Second
	pongTimeout    = 8 * time.Second
)

// session is one connection. Run's goroutine reads and calls the events; a
// second one writes and watches the clock.
type session struct {
	*Client
	sock *socket
	edge Edge

	// owned by Run's goroutine
	welcomed time.Time // zero = not yet

	asking atomic.Bool // the edge is being asked for the others
	racing atomic.Bool // edges are being measured

	// from Run's goroutine to the writer; never closed
	silence chan time.Duration // how long the edge may be silent, once
	leave   chan time.Duration // when to leave; the last one counts
	again   chan struct{}      // what is watched is to be asked for once more
	better  chan struct{}      // closed by recheck: another edge is nearer, and first in line
}

// run talks to the edge until one of them ends it.
func (s *session) run(ctx context.Context, hello []byte) end {
	s.silence = make(chan time.Duration, 1)
	s.leave = make(chan time.Duration, 1)
	s.again = make(chan struct{}, 1)
	s.better = make(chan struct{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Whoever ends it, the other has a moment to read what the edge has to say,
	// or to write a close frame.
	defer context.AfterFunc(ctx, func() { _ = s.sock.SetDeadline(time.Now().Add(closeTimeout)) })()
	var running sync.WaitGroup
	running.Go(func() {
		cancel(s.write(ctx, hello, &running))
		s.part(ctx)
	})
	err := s.read()
	cancel(err)
	running.Wait()
	_ = s.sock.Close()
	// The first reason counts; but where a write failed, the edge may have said why.
	cause := context.Cause(ctx)
	if closed := new(closeError); !errors.As(err, &closed) || errors.Is(cause, errLeaving) || errors.Is(cause, errSilent) {
		err = cause
	}
	e := end{err: err, welcomed: !s.welcomed.IsZero()}
	if e.welcomed {
		e.lived = time.Since(s.welcomed)
	}
	return e
}

// read applies messages until the connection ends.
func (s *session) read() error {
	for {
		payload, err := s.sock.receive(s.requests.answerPing)
		if err != nil {
			return err
		}
		if err := s.apply(payload); err != nil {
			return err
		}
	}
}

// write sends the hello and then what the application asks, keeps the edge
// under watch, and leaves when it is time to.
func (s *session) write(ctx context.Context, hello []byte, running *sync.WaitGroup) error {
	if err := s.sock.message(ctx, hello); err != nil {
		return err
	}
	ping, err := s.codec.Append(nil, &wire.ClientMessage{T: wire.TPing})
	if err != nil {
		return err
	}
	w := watch{sock: s.sock, ping: ping, timer: time.NewTimer(welcomeTimeout)}
	defer w.timer.Stop()
	refresh := time.NewTicker(refreshEvery)
	defer refresh.Stop()
	var leaving, watching, looking <-chan time.Time
	looked := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.requests.wake:
			if err := s.flush(ctx); err != nil {
				return err
			}
		case w.silence = <-s.silence:
			w.timer.Reset(w.silence)
			s.refresh(ctx, running)
			if s.cfg.Nearest && s.stats.connections.Load() > 1 {
				looking = time.After(recheckIn(looked))
			}
		case <-refresh.C:
			s.refresh(ctx, running)
		case after := <-s.leave:
			leaving = time.After(after)
		case <-leaving:
			return errLeaving
		case <-looking:
			s.recheck(ctx, running)
			if looked++; looked < recheckTimes {
				looking = time.After(recheckIn(looked))
			}
		case <-s.network:
			s.recheck(ctx, running)
			if err := w.probe(ctx); err != nil {
				return err
			}
		case <-s.better:
			return errLeaving
		case <-s.again:
			watching = time.After(watchAgain)
		case <-watching:
			s.watchAll(s.objects.agreed())
		case <-w.timer.C:
			if err := w.look(ctx); err != nil {
				return err
			}
		}
	}
}

// flush writes all that waits.
func (s *session) flush(ctx context.Context) error {
	for {
		payload, control, ok := s.requests.take(time.Now())
		if !ok {
			return nil
		}
		send := s.sock.message
		if control {
			send = s.sock.pong
		}
		if err := send(ctx, payload); err != nil {
			return err
		}
	}
}

// refresh asks the edge for the others, in a goroutine that lives as long as
// the answer takes.
func (s *session) refresh(ctx context.Context, running *sync.WaitGroup) {
	if s.cfg.Static || !s.asking.CompareAndSwap(false, true) {
		return
	}
	running.Go(func() {
		defer s.asking.Store(false)
		s.discover(ctx)
	})
}

// part says good bye, if there is somebody to hear it.
func (s *session) part(ctx context.Context) {
	closed := new(closeError)
	code := wire.CloseNormal
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &closed):
		code = closed.code
	case errors.Is(cause, errDefect):
		code = wire.CloseProtocol
	case errors.Is(cause, errLeaving):
		code = wire.CloseGoingAway
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, errHole):
	default:
		return // the network has failed
	}
	var body []byte
	if code != 0 && !ws.StatusCode(code).IsProtocolReserved() {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), "")
	}
	_ = s.sock.send(context.WithoutCancel(ctx), closeTimeout, ws.OpClose, 0, body)
}

// watch keeps an eye on whether the edge is still there. It belongs to the
// writer.
type watch struct {
	sock    *socket
	ping    []byte
	timer   *time.Timer
	silence time.Duration // allowed before a ping; 0 = not welcomed yet
	pinged  time.Duration // when the ping without an answer was sent, since the socket's start; 0 = none
}

// look is what to do when the timer fires.
func (w *watch) look(ctx context.Context) error {
	quiet := w.sock.silence()
	switch {
	case w.silence == 0:
		return fmt.Errorf("%w: no welcome within %s", errSilent, welcomeTimeout)
	case w.unanswered():
		return fmt.Errorf("%w: nothing was heard for %s, not even after a ping", errSilent, quiet.Round(time.Second))
	case quiet < w.silence:
		w.pinged = 0
		w.timer.Reset(w.silence - quiet)
		return nil
	}
	return w.probe(ctx)
}

// unanswered reports whether nothing was heard since the last ping.
func (w *watch) unanswered() bool {
	return w.pinged != 0 && time.Duration(w.sock.heard.Load()) < w.pinged
}

// probe asks for a sign of life, unless one is awaited, or there is no session yet.
func (w *watch) probe(ctx context.Context) error {
	if w.silence == 0 || w.unanswered() {
		return nil
	}
	w.pinged = time.Since(w.sock.start)
	w.timer.Reset(pongTimeout)
	return w.sock.message(ctx, w.ping)
}
