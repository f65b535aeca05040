package objects

import (
	"context"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// Upstream is where an edge asks the core.
type Upstream interface {
	Query(ctx context.Context, q *wire.Query) (*wire.Answer, error)
	Want(p wire.LogID, wants ...upstream.Want)
	Drop(p wire.LogID, keys ...wire.Key)
}

// Config sets up Objects. It is not modified.
type Config struct {
	Upstream Upstream
	// Siblings are asked first; nil = there are none.
	Siblings Siblings
	// Budget is how much memory the documents may take, in bytes. What is watched
	// may take half of it, and is kept whatever else comes.
	Budget int
	// Asked is called for each document that somebody asked for, with whether it
	// was at hand; nil = not.
	Asked  func(hit bool)
	Logger *slog.Logger
}

const (
	shards = 16
	// missingShare is the part of the budget for documents that don't exist: one
	// of so many.
	missingShare = 16
)

// Objects are the documents of an edge. Its methods are safe for concurrent use.
type Objects struct {
	cfg    Config
	seed   maphash.Seed
	shards [shards]*shard
	loader loader
	lastID atomic.Uint32
}

// Watcher is told of each new version of what it watches, in order, on the
// goroutine that takes the state log's records. It must not block.
type Watcher interface{ ObjectMoved(o *Object) }

// New are no documents; Run makes it work.
func New(cfg Config) *Objects {
	if cfg.Asked == nil {
		cfg.Asked = func(bool) {}
	}
	o := &Objects{cfg: cfg, seed: maphash.MakeSeed(), loader: loader{kick: make(chan struct{}, 1)}}
	for i := range o.shards {
		o.shards[i] = newShard(o)
	}
	return o
}

func (o *Objects) shardOf(key string) *shard {
	return o.shards[maphash.String(o.seed, key)%shards]
}

// version is a new version of a document.
func (o *Objects) version(s *shard, key string, v wire.Seq, data wire.Data) *Object {
	return &Object{Key: strings.Clone(key), V: v, Data: data, id: o.lastID.Add(1), shard: s}
}

// Peek is a document, or that there is none, if it is at hand.
func (o *Objects) Peek(key string) (*Object, bool) {
	s := o.shardOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.findLocked(key); e != nil && e.obj != nil {
		return e.obj, true
	}
	return nil, false
}

// Get puts the documents of keys, which must be of users and rooms, into out, and
// asks the core for those that aren't at hand. out is as long as keys.
func (o *Objects) Get(ctx context.Context, keys []string, out []*Object) error {
	return o.gets(ctx, keys, out, false)
}

func (o *Objects) gets(ctx context.Context, keys []string, out []*Object, here bool) error {
	var loads []*load // by key; nil for what is at hand
	for i, key := range keys {
		obj, l := o.get(key, nil, here)
		if out[i] = obj; l == nil {
			continue
		}
		if loads == nil {
			loads = make([]*load, len(keys))
		}
		loads[i] = l
	}
	for i, l := range loads {
		if l == nil {
			continue
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return upstream.ErrUnavailable
		}
		if l.err != nil {
			return l.err
		}
		out[i] = l.obj
	}
	return nil
}

// Fetch has then called with a document that isn't at hand once it is, on a
// goroutine of this package; it must not block. If it can't be had, then isn't
// called. If it is at hand, it is returned.
func (o *Objects) Fetch(key string, then func(*Object)) (*Object, bool) {
	obj, l := o.get(key, then, false)
	return obj, l == nil
}

// get is a document, or the load that brings it, which calls then; here says that no
// sibling is asked.
func (o *Objects) get(key string, then func(*Object), here bool) (*Object, *load) {
	s := o.shardOf(key)
	s.mu.Lock()
	e := s.findLocked(key)
	if e != nil && e.obj != nil {
		obj := e.obj
		s.mu.Unlock()
		o.cfg.Asked(true)
		return obj, nil
	}
	begin := e == nil
	if begin {
		key = strings.Clone(key)
		e = &entry{load: newLoad()}
		s.putLocked(key, e)
	}
	l := e.load
	if then != nil {
		l.then = append(l.then, then)
	}
	s.mu.Unlock()
	o.cfg.Asked(false)
	if begin {
		o.begin(key, e, l, here)
	}
	return nil, l
}

// interest is the interest in a document.
func interest(key string) wire.Key {
	if id, ok := strings.CutPrefix(key, "room:"); ok {
		return wire.RoomKey(wire.RoomID(id))
	}
	return wire.UserKey(wire.UserID(strings.TrimPrefix(key, "user:")))
}

// drop gives interests back.
func (o *Objects) drop(keys []string) {
	for _, key := range keys {
		o.cfg.Upstream.Drop(wire.StateLog, interest(key))
	}
}

// Record takes a record of the state log; they must come in order.
func (o *Objects) Record(rec *wire.StateRecord) {
	if rec.Kind == wire.StateMember {
		return
	}
	data := rec.Data
	if rec.Deleted {
		data = nil
	}
	key := rec.Key()
	o.shardOf(key).change(key, rec.V, data)
}

// Bytes is what the documents take, in bytes.
func (o *Objects) Bytes() int {
	n := 0
	for _, s := range o.shards {
		n += s.bytes()
	}
	return n
}

// Reset forgets everything, for another state log. What is being loaded fails.
func (o *Objects) Reset() {
	for _, s := range o.shards {
		s.mu.Lock()
		gone := append(s.existing.Keys(), s.missing.Keys()...)
		s.existing.Purge()
		s.missing.Purge()
		s.existing.size, s.missing.size, s.keptSize = 0, 0, 0
		for key, e := range s.kept {
			if e.wanted {
				gone = append(gone, key)
			}
			if l := e.load; l != nil {
				e.load = nil // its answer, which is on the way, finds that it is over
				l.fail(upstream.ErrUnavailable)
			}
		}
		clear(s.kept)
		s.mu.Unlock()
		o.drop(gone)
	}
}

// Run asks for what is wanted until ctx ends; then nothing more is loaded.
func (o *Objects) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.loader.kick:
		case now := <-t.C:
			o.expire(now)
		}
		for {
			batch := o.loader.next()
			if batch == nil {
				break
			}
			asking.Go(func() { o.ask(ctx, batch) })
		}
		for {
			node, batch := o.loader.nextNear()
			if batch == nil {
				break
			}
			asking.Go(func() { o.askSibling(ctx, node, batch) })
		}
	}
}
