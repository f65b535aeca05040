package thin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// Load is what is sent. All must be positive.
type Load struct {
	Conns    int           `json:"conns"`
	Messages int           `json:"messages"` // on each connection
	Every    time.Duration `json:"every_ns"` // on each connection
	Size     int           `json:"bytes"`    // of a message, 8 at least
}

// Run sends messages over Conns connections that dial makes and l accepts, and returns how
// long each took from its writing until it could be read, sorted. Both ends have the clock of
// this process. It closes l and the connections.
func (w Load) Run(ctx context.Context, l net.Listener, dial func(context.Context) (net.Conn, error)) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{Load: w, origin: time.Now()}
	fail := func(err error) {
		if err != nil {
			cancel(err)
		}
	}
	defer context.AfterFunc(ctx, r.hangUp)()
	r.keep(l)
	var all sync.WaitGroup
	all.Go(func() {
		for range w.Conns {
			c, err := l.Accept()
			if err != nil {
				fail(err)
				return
			}
			r.keep(c)
			all.Go(func() { fail(r.receive(c)) })
		}
	})
	for i := range w.Conns { // one after the other, so that who is who is the same in each run
		c, err := dial(ctx)
		if err != nil {
			fail(err)
			break
		}
		r.keep(c)
		all.Go(func() { fail(r.send(ctx, c, time.Duration(i)*w.Every/time.Duration(w.Conns))) })
	}
	all.Wait()
	r.hangUp()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if want := w.Conns * w.Messages; len(r.took) != want {
		return nil, fmt.Errorf("%d of %d messages came", len(r.took), want)
	}
	slices.Sort(r.took)
	return r.took, nil
}

// run is one Run.
type run struct {
	Load
	origin time.Time

	mu     sync.Mutex
	open   []io.Closer     // guarded by mu
	closed bool            // guarded by mu
	took   []time.Duration // guarded by mu
}

// keep has something closed in the end.
func (r *run) keep(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open = append(r.open, c); r.closed {
		_ = c.Close() // as hangUp does
	}
}

// hangUp closes everything.
func (r *run) hangUp() {
	r.mu.Lock()
	open := r.open
	r.open, r.closed = nil, true
	r.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // all has been read, or failed
	}
}

// send writes the messages, each with the time of its writing.
func (r *run) send(ctx context.Context, c net.Conn, offset time.Duration) error {
	b := make([]byte, r.Size)
	next := time.Now().Add(offset)
	for range r.Messages {
		next = next.Add(r.Every)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
		binary.BigEndian.PutUint64(b, uint64(time.Since(r.origin)))
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// receive reads the messages.
func (r *run) receive(c net.Conn) error {
	b := make([]byte, r.Size)
	took := make([]time.Duration, 0, r.Messages)
	for range r.Messages {
		if _, err := io.ReadFull(c, b); err != nil {
			return errors.Join(errors.New("a connection ended early"), err)
		}
		took = append(took, time.Since(r.origin)-time.Duration(binary.BigEndian.Uint64(b)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took...)
	return nil
}
