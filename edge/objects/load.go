package objects

import (
	"context"
	"errors"
	"sync"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
)

const (
	// queryTimeout bounds a question, the wait for a link included.
	queryTimeout = 8 * time.Second
	// maxFlying bounds the questions under way; what is wanted meanwhile goes
	// together into the next.
	maxFlying = 8
)

// load is a document on its way. Guarded by its shard's mutex until done is closed.
type load struct {
	done  chan struct{}
	obj   *Object // when done, or err
	err   error
	early *Object // a change that came before the answer
	seed  *Object // counts once the interest's marker says so
	then  []func(*Object)
}

func newLoad() *load { return &load{done: make(chan struct{})} }

// fail ends l. The shard's lock is held, or nobody else can have l.
func (l *load) fail(err error) {
	l.err, l.then = err, nil
	close(l.done)
}

// wanted is an entry to ask for.
type wanted struct {
	key      string
	e        *entry
	load     *load
	marker   uint64 // of the delta that carries the interest
	deadline time.Time
}

// loader queues what is to be asked for.
type loader struct {
	kick chan struct{} // capacity 1, never closed: there is something in ready

	mu     sync.Mutex
	unsent map[*wanted]struct{} // guarded by mu: the interest has no number yet
	ready  []*wanted            // guarded by mu
	flying int                  // guarded by mu
	near   near                 // guarded by mu
}

// begin asks for a document that is not at hand: of the sibling that has it, if there
// is one and here is false, or of the core.
func (o *Objects) begin(key string, e *entry, l *load, here bool) {
	w := &wanted{key: key, e: e, load: l}
	if o.cfg.Siblings != nil && !here {
		if node := o.cfg.Siblings.Of(key); node != "" {
			o.loader.fromSibling(node, w)
			return
		}
	}
	o.fromCore(w)
}

// fromCore asks for the interest in an entry, and then for its document.
func (o *Objects) fromCore(w *wanted) {
	s := o.shardOf(w.key)
	s.mu.Lock()
	ours := w.e.load == w.load // else Reset has ended it
	if ours {
		w.e.wanted = true
	}
	s.mu.Unlock()
	if !ours {
		return
	}
	w.deadline = time.Now().Add(queryTimeout)
	o.loader.wait(w)
	o.cfg.Upstream.Want(wire.StateLog, upstream.Want{
		Key: interest(w.key), Since: ^wire.Seq(0) >> 1,
		Sent: func(id uint64) { o.loader.sent(w, id) },
	})
}

func (q *loader) wait(w *wanted) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unsent == nil {
		q.unsent = map[*wanted]struct{}{}
	}
	q.unsent[w] = struct{}{}
}

// sent takes the number of the delta that carries the interest. It is called
// under the upstream's lock.
func (q *loader) sent(w *wanted, id uint64) {
	q.mu.Lock()
	if _, ok := q.unsent[w]; ok {
		delete(q.unsent, w)
		w.marker = id
		q.ready = append(q.ready, w)
	}
	q.mu.Unlock()
	q.wake()
}

func (q *loader) wake() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// next is a batch to ask for now, or nil.
func (q *loader) next() []*wanted {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.ready), wire.MaxPage)
	if n == 0 || q.flying == maxFlying {
		return nil
	}
	q.flying++
	batch := q.ready[:n:n]
	q.ready = q.ready[n:]
	return batch
}

// landed ends the question of a batch; rest were not answered.
func (q *loader) landed(rest []*wanted) {
	q.mu.Lock()
	q.flying--
	q.ready = append(q.ready, rest...)
	q.mu.Unlock()
	q.wake()
}

// expired takes out what had no link for too long.
func (q *loader) expired(now time.Time) (out []*wanted) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := range q.unsent {
		if now.After(w.deadline) {
			delete(q.unsent, w)
			out = append(out, w)
		}
	}
	return out
}

func (o *Objects) expire(now time.Time) {
	for _, w := range o.loader.expired(now) {
		o.failed(w, upstream.ErrUnavailable)
	}
}

// ask asks for a batch.
func (o *Objects) ask(ctx context.Context, batch []*wanted) {
	q := &wire.Query{T: wire.QGet, P: wire.StateLog, Keys: make([]string, len(batch))}
	for i, w := range batch {
		q.Keys[i] = w.key
		q.Marker = max(q.Marker, w.marker)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	a, err := o.cfg.Upstream.Query(ctx, q)
	if err == nil && a.Err != nil {
		err = errors.New(string(a.Err.Code) + ": " + a.Err.Message)
	}
	if err != nil {
		o.cfg.Logger.Warn("documents could not be asked for", "keys", len(batch), "err", err)
		for _, w := range batch {
			o.failed(w, upstream.ErrUnavailable)
		}
		o.loader.landed(nil)
		return
	}
	missing := make(map[string]struct{}, len(a.Missing))
	for _, key := range a.Missing {
		missing[key] = struct{}{}
	}
	var rest []*wanted
	for _, w := range batch {
		doc, ok := a.Objects[w.key]
		if _, none := missing[w.key]; none {
			doc, ok = wire.Object{V: a.V}, true
		}
		switch {
		case ok:
			o.loaded(w, doc)
		case len(a.Objects)+len(a.Missing) == 0:
			o.failed(w, upstream.ErrUnavailable) // it would not end
		default:
			rest = append(rest, w)
		}
	}
	o.loader.landed(rest)
}

// loaded ends a load with the core's answer, or with the change that came before
// it and is newer.
func (o *Objects) loaded(w *wanted, doc wire.Object) {
	s := o.shardOf(w.key)
	obj := o.version(s, w.key, doc.V, doc.Data)
	s.mu.Lock()
	if w.e.load != w.load {
		s.mu.Unlock()
		return // Reset has ended it
	}
	evicted := s.settleLocked(w.key, w.e, obj)
	obj, then := w.load.obj, w.load.then
	s.mu.Unlock()
	o.drop(evicted)
	for _, fn := range then {
		fn(obj)
	}
}

// settleLocked makes an entry of a load what was loaded.
func (s *shard) settleLocked(key string, e *entry, obj *Object) (evicted []string) {
	l := e.load
	if l.early != nil && l.early.V > obj.V {
		obj = l.early
	}
	s.takeLocked(key, e)
	e.obj, e.load = obj, nil
	evicted = s.putLocked(key, e)
	l.obj = obj
	close(l.done)
	return evicted
}

// failed ends a load without a document: its entry and interest go.
func (o *Objects) failed(w *wanted, err error) {
	s := o.shardOf(w.key)
	s.mu.Lock()
	ours := w.e.load == w.load && s.kept[w.key] == w.e
	if ours {
		delete(s.kept, w.key)
		w.e.load = nil
		w.load.fail(err)
	}
	s.mu.Unlock()
	if ours {
		o.drop([]string{w.key})
	}
}

// seeded is the token of the interest in what Seed has put in.
type seeded struct {
	o   *Objects
	key string
	e   *entry
	l   *load
}

// Seed puts in a document that was read at state position read, as a welcome had
// it. One that is known or asked for already gives way to a later version: who was
// told that must not be told an older one afterwards.
func (o *Objects) Seed(key string, doc wire.Object, read wire.Seq) {
	s := o.shardOf(key)
	s.mu.Lock()
	if e := s.peekLocked(key); e != nil {
		evicted := s.aheadLocked(key, e, doc)
		s.mu.Unlock()
		o.drop(evicted)
		return
	}
	if doc.V == 0 { // a welcome tells so that there is none
		doc = wire.Object{V: read}
	}
	e := &entry{load: newLoad(), wanted: true}
	l := e.load
	l.seed = o.version(s, key, doc.V, doc.Data)
	s.putLocked(l.seed.Key, e)
	s.mu.Unlock()
	o.cfg.Upstream.Want(wire.StateLog, upstream.Want{
		Key: interest(key), Since: read, Token: seeded{o, l.seed.Key, e, l},
	})
}

// Live takes the marker of a want of this package, and reports whether it was one.
func (o *Objects) Live(w upstream.Want, moved bool, m link.Marker) bool {
	t, ok := w.Token.(seeded)
	if !ok || t.o != o {
		return false
	}
	if moved { // it may be old: the core is asked after all
		o.loader.mu.Lock()
		o.loader.ready = append(o.loader.ready, &wanted{key: t.key, e: t.e, load: t.l, marker: m.ID, deadline: time.Now().Add(queryTimeout)})
		o.loader.mu.Unlock()
		o.loader.wake()
		return true
	}
	o.loaded(&wanted{key: t.key, e: t.e, load: t.l}, wire.Object{V: t.l.seed.V, Data: t.l.seed.Data})
	return true
}
