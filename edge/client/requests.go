package client

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"selvedge/wire"
)

const (
	// maxRequests bounds the requests under way: the next one waits for an answer
	// to an earlier one.
	maxRequests = 256
	// maxNotes bounds the signals that wait to be written: the next one is
	// refused, since a late signal is worth nothing.
	maxNotes = 64
	// repeatWithin is how long after it was sent a publish may be sent again: an
	// edge promises to know a msg_id for 2 minutes.
	repeatWithin = 110 * time.Second
)

// request is one question that waits for its answer.
type request struct {
	id      uint64
	payload []byte // encoded once, sent again as it is
	publish bool
	sent    time.Time // first written; zero = never. Guarded by requests.mu
	// settle is called by Run's goroutine before the asker gets the answer; may be nil.
	settle func(answer []byte) error
	// then is what the client itself asks for: nobody waits, and it ends with its
	// connection. Called by Run's goroutine; nil = somebody's request.
	then   func(answer []byte, err error)
	done   chan result // gets one result; never closed
	orphan bool        // nobody waits for done: whoever ends it frees its slot. Guarded by requests.mu
}

type result struct {
	answer []byte
	err    error
}

// requests is what the application has to say to an edge, and waits to hear,
// across connections. Safe for concurrent use.
type requests struct {
	slots chan struct{} // one per request under way; never closed
	wake  chan struct{} // there is something for the writer; never closed

	mu      sync.Mutex
	closed  bool
	live    bool // an edge has welcomed the session and was not cut since
	last    uint64
	pending map[uint64]*request
	queue   []*request // of pending, to be written
	notes   [][]byte   // signals, to be written
	pong    []byte     // answers the last ping; nil = none to answer
}

func newRequests() *requests {
	return &requests{
		slots:   make(chan struct{}, maxRequests),
		wake:    make(chan struct{}, 1),
		pending: make(map[uint64]*request),
	}
}

// ask sends m as soon as an edge is connected and waits for the answer, over as
// many connections as that takes.
func (r *requests) ask(ctx context.Context, codec wire.Codec, m *wire.ClientMessage, settle func([]byte) error) ([]byte, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	req := &request{publish: m.T == wire.TPublish, settle: settle, done: make(chan result, 1)}
	if err := r.add(req, codec, m); err != nil {
		<-r.slots
		return nil, err
	}
	select {
	case res := <-req.done:
		<-r.slots
		return res.answer, res.err
	case <-ctx.Done():
		r.giveUp(req)
		return nil, ctx.Err()
	}
}

// giveUp ends the wait for an answer. What the edge was told, and what changes
// something here too, is seen through all the same: else the two would be of two
// minds.
func (r *requests) giveUp(req *request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending[req.id] != nil && req.settle != nil && !req.sent.IsZero() {
		req.orphan = true
		return
	}
	delete(r.pending, req.id)
	<-r.slots
}

// endLocked gives a request that is no longer pending its result.
func (r *requests) endLocked(req *request, res result) {
	req.done <- res
	if req.orphan {
		<-r.slots
	}
}

func (r *requests) add(req *request, codec wire.Codec, m *wire.ClientMessage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.last++
	req.id, m.ID = r.last, r.last
	payload, err := codec.Append(nil, m)
	if err != nil {
		return err
	}
	if len(payload) > wire.MaxClientMessage {
		return fmt.Errorf("%w: a message of %d bytes, an edge takes %d: let the backend publish it", wire.ErrTooLarge, len(payload), wire.MaxClientMessage)
	}
	req.payload = payload
	r.pending[req.id] = req
	if r.live {
		r.queue = append(r.queue, req)
		r.wakeWriter()
	}
	return nil
}

// post asks what belongs to this connection.
func (r *requests) post(codec wire.Codec, m *wire.ClientMessage, then func(answer []byte, err error)) error {
	return r.add(&request{then: then, done: make(chan result, 1)}, codec, m)
}

// note sends what has no answer, now or never.
func (r *requests) note(payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live || len(r.notes) == maxNotes {
		return ErrNotConnected
	}
	r.notes = append(r.notes, payload)
	r.wakeWriter()
	return nil
}

// answerPing has the writer answer a ping; only the last one needs it (RFC
// 6455, section 5.5.3).
func (r *requests) answerPing(payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pong = payload
	r.wakeWriter()
}

func (r *requests) wakeWriter() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake already, and takes all there is
	}
}

// take is what the writer writes next. control says that it is a pong.
func (r *requests) take(now time.Time) (payload []byte, control, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pong != nil {
		payload, r.pong = r.pong, nil
		return payload, true, true
	}
	for len(r.queue) > 0 {
		req := r.queue[0]
		r.queue = r.queue[1:]
		if r.pending[req.id] == nil {
			continue // given up meanwhile
		}
		if req.sent.IsZero() {
			req.sent = now
		}
		return req.payload, false, true
	}
	if len(r.notes) > 0 {
		payload, r.notes = r.notes[0], r.notes[1:]
		return payload, false, true
	}
	return nil, false, false
}

// resume sends everything that has no answer to the edge that has just
// welcomed the session.
func (r *requests) resume(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = true
	maps.DeleteFunc(r.pending, func(_ uint64, req *request) bool {
		late := req.publish && !req.sent.IsZero() && now.Sub(req.sent) > repeatWithin
		if late {
			r.endLocked(req, result{err: ErrUnknownOutcome})
		}
		return late
	})
	r.queue = slices.SortedFunc(maps.Values(r.pending), func(a, b *request) int { return cmp.Compare(a.id, b.id) })
	r.wakeWriter()
}

// pause keeps what has no answer for the next connection.
func (r *requests) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = false
	maps.DeleteFunc(r.pending, func(_ uint64, req *request) bool { return req.then != nil })
	r.queue, r.notes, r.pong = nil, nil, nil
}

// settle hands an answer over, if somebody still waits for it.
func (r *requests) settle(id uint64, answer []byte, err error) {
	r.mu.Lock()
	req := r.pending[id]
	delete(r.pending, id)
	r.mu.Unlock()
	if req == nil {
		return
	}
	switch {
	case req.then != nil:
		req.then(answer, err)
		return
	case err == nil && req.settle != nil:
		err = req.settle(answer)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(req, result{slices.Clone(answer), err})
}

// close refuses what waits, and what comes.
func (r *requests) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.live = true, false
	for _, req := range r.pending {
		r.endLocked(req, result{err: ErrClosed})
	}
	r.pending, r.queue, r.notes = nil, nil, nil
}
