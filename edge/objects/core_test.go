package objects

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
)

// core is an Upstream with a state log of its own, over a link that takes its
// time: what goes to the core and the log's stream stay in order each, an answer
// may overtake the stream or fall behind it.
type core struct {
	rng  *rand.Rand // guarded by mu
	o    *Objects
	up   chan func()      // what the edge sends, in order
	down chan func()      // the log's stream
	held map[wire.Key]int // by the edge's account; guarded by mu

	mu        sync.Mutex
	v         wire.Seq                 // guarded by mu: the log's end
	history   map[string][]wire.Object // guarded by mu: every version of each document; Data nil = deleted
	effective map[wire.Key]bool        // guarded by mu: interests that have arrived
	markers   map[uint64]chan struct{} // guarded by mu: closed when the delta has arrived
	lastID    uint64                   // guarded by mu
	pos       wire.Seq                 // guarded by mu: everything up to it has reached the edge
	asked     int                      // guarded by mu: keys
	queries   int                      // guarded by mu
	fail      bool                     // guarded by mu
	most      time.Duration            // of a delay; guarded by mu
}

func newCore(ctx context.Context, seed uint64) *core {
	c := &core{
		rng: rand.New(rand.NewPCG(seed, 1)), up: make(chan func(), 1000), down: make(chan func(), 1000),
		held: map[wire.Key]int{}, history: map[string][]wire.Object{}, effective: map[wire.Key]bool{},
		markers: map[uint64]chan struct{}{}, most: 50 * time.Millisecond,
	}
	for _, way := range []chan func(){c.up, c.down} {
		go func() {
			for {
				select {
				case fn := <-way:
					c.sleep(ctx)
					fn()
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	return c
}

// sleep takes as long as a way does.
func (c *core) sleep(ctx context.Context) {
	c.mu.Lock()
	d := time.Duration(c.rng.Int64N(int64(c.most)))
	c.mu.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// put writes a version of a document; data "" deletes it.
func (c *core) put(key, data string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v++
	rec := &wire.StateRecord{Kind: wire.StateUser, User: wire.UserID(key[len("user:"):]), V: c.v, Deleted: data == ""}
	if data != "" {
		rec.Data = text(data)
	}
	c.history[key] = append(c.history[key], wire.Object{V: c.v, Data: rec.Data})
	if c.effective[interest(key)] {
		c.down <- func() {
			c.o.Record(rec)
			c.reached(rec.V)
		}
	}
}

// watermark says how far the log is.
func (c *core) watermark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.v
	c.down <- func() { c.reached(v) }
}

func (c *core) reached(v wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pos = max(c.pos, v)
}

func (c *core) Want(_ wire.LogID, wants ...upstream.Want) {
	for _, w := range wants {
		c.mu.Lock()
		c.held[w.Key]++
		c.lastID++
		id := c.lastID
		arrived := make(chan struct{})
		c.markers[id] = arrived
		c.mu.Unlock()
		if w.Sent != nil {
			w.Sent(id)
		}
		c.up <- func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.effective[w.Key] = true
			m := link.Marker{ID: id, Seq: c.v}
			moved := false
			for key, versions := range c.history {
				moved = moved || interest(key) == w.Key && versions[len(versions)-1].V > w.Since
			}
			close(arrived)
			c.down <- func() {
				c.o.Live(w, moved, m)
				c.reached(m.Seq)
			}
		}
	}
}

func (c *core) Drop(_ wire.LogID, keys ...wire.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		if c.held[k]--; c.held[k] < 0 {
			panic("dropped more often than wanted")
		}
		c.up <- func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.held[k] == 0 {
				delete(c.effective, k)
			}
		}
	}
}

func (c *core) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	c.mu.Lock()
	arrived, fail := c.markers[q.Marker], c.fail
	c.asked += len(q.Keys)
	c.queries++
	c.mu.Unlock()
	select {
	case <-arrived:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if fail {
		return nil, upstream.ErrUnavailable
	}
	c.mu.Lock()
	a := &wire.Answer{V: c.v, Objects: map[string]wire.Object{}}
	for i, key := range q.Keys {
		if i > 2 && c.rng.IntN(8) == 0 {
			a.Next = key // the rest has no room
			break
		}
		if versions := c.history[key]; len(versions) > 0 && versions[len(versions)-1].Data != nil {
			a.Objects[key] = versions[len(versions)-1]
		} else {
			a.Missing = append(a.Missing, key)
		}
	}
	c.mu.Unlock()
	c.sleep(ctx)
	return a, nil
}

// check reports why o, asked for when everything up to pos had come, is no answer.
func (c *core) check(key string, o *Object, pos wire.Seq) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	versions := c.history[key]
	// The versions that were the present at some moment from pos on.
	first := 0
	for i, v := range versions {
		if v.V <= pos {
			first = i
		}
	}
	if len(versions) == 0 || versions[0].V > pos {
		if !o.Exists() {
			return nil
		}
	}
	for _, v := range versions[min(first, len(versions)):] {
		if v.Data == nil && !o.Exists() || v.V == o.V && slices.Equal(v.Data, o.Data) && o.Exists() {
			return nil
		}
	}
	return fmt.Errorf("%s is %d %s, which it was not from %d on: %v", key, o.V, o.Data, pos, versions)
}

// interests is how many are held.
func (c *core) interests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, held := range c.held {
		n += held
	}
	return n
}

func text(s string) wire.Data {
	b, err := wire.Msgpack.Append(nil, map[string]string{"name": s})
	if err != nil {
		panic(err)
	}
	return b
}
