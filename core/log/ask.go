package log

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Whichever copy the server picks answers a read, and it picks by chance, not the
// nearest. One that stands still, or is cut off, says nothing for the 6 s that it
// takes until the others give it up. So a read that nobody answers is asked again,
// which may meet another copy, and the first answer counts.
const (
	// askAgain is how long a read of several copies waits before it is asked again;
	// twice as long after each time, so that servers which are slow for having too
	// much to do get little more of it.
	askAgain = 300 * time.Millisecond
	// askTimes is how often at most. All go to the one of three that is silent in 1
	// of 81.
	askTimes = 4
)

var errSilent = errors.New("it does not answer")

// ask is get by whichever copy answers.
func (sess *session) ask(ctx context.Context, stream string, req getRequest) ([]record, error) {
	// It is never left out: a server reads its own default without a lock, also while it
	// is told of other routes (reroute; stream.go, getDirectRequest, of nats-server 2.15).
	req.MaxBytes = min(cmp.Or(req.MaxBytes, sess.chunk), sess.chunk)
	b, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode a read: %w", err)
	}
	a := asking{sess: sess, subject: "$JS.API.DIRECT.GET." + stream, data: b, batch: req.Batch > 0, ends: make(chan *getCall, askTimes)}
	defer a.forget()
	if err := a.try(); err != nil {
		return nil, err
	}
	limit := time.NewTimer(readLimit)
	defer limit.Stop()
	pause := askAgain
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case c := <-a.ends:
			// What one can't answer, another that was asked as well may.
			if a.waiting--; a.waiting == 0 || c.err == nil || errors.Is(c.err, errNotFound) {
				return c.records, c.err
			}
		case <-again.C:
			if sess.replicated() && len(a.ids) < askTimes && !a.moving() {
				if err := a.try(); err != nil {
					return nil, err
				}
				pause *= 2
			}
			again.Reset(pause)
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-limit.C:
			return nil, unavailable(errSilent)
		}
	}
}

// asking is one read, asked once or more often. It is used by one goroutine.
type asking struct {
	// Fixed.
	sess    *session
	subject string
	data    []byte
	batch   bool
	ends    chan *getCall // of as many elements as there may be calls

	ids     []uint64 // of its calls, for the mux
	last    *getCall
	had     int // how many records of it have come
	waiting int // calls that have not ended
}

// try asks once more.
func (a *asking) try() error {
	c := &getCall{batch: a.batch, at: time.Now(), ends: a.ends}
	id, err := a.sess.gets.ask(a.subject, nil, a.data, c)
	if err != nil {
		return err
	}
	a.ids, a.last, a.had = append(a.ids, id), c, 0
	a.waiting++
	return nil
}

// moving reports whether the newest call has brought something since this was
// last asked.
func (a *asking) moving() bool {
	had := a.had
	a.had = a.last.count()
	return a.had > had
}

func (a *asking) forget() {
	for _, id := range a.ids {
		a.sess.gets.forget(id)
	}
}
