package objects

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// sibling is an edge that answers from what it had of a core's documents a while ago.
type sibling struct {
	c *core

	mu    sync.Mutex
	asked int  // guarded by mu: keys
	dead  bool // guarded by mu
	sure  bool // fixed: it answers all, and is not behind
}

func (s *sibling) Of(key string) string {
	if strings.HasSuffix(key, "7") {
		return "" // we are to ask the core
	}
	return "near"
}

func (s *sibling) Ask(ctx context.Context, node string, q *wire.Query) (*wire.Answer, error) {
	s.mu.Lock()
	s.asked += len(q.Keys)
	dead := s.dead
	s.mu.Unlock()
	if node != "near" || dead {
		return nil, upstream.ErrUnavailable
	}
	c := s.c
	c.sleep(ctx)
	c.mu.Lock()
	if !s.sure && c.rng.IntN(10) == 0 {
		c.mu.Unlock()
		return nil, upstream.ErrUnavailable
	}
	// It is behind, and what it has may be a little newer than it says.
	has := c.v
	if !s.sure {
		has -= min(c.v, wire.Seq(c.rng.IntN(6)))
	}
	a := &wire.Answer{V: has - min(has, wire.Seq(c.rng.IntN(3))), Objects: map[string]wire.Object{}}
	for i, key := range q.Keys {
		if i > 2 && !s.sure && c.rng.IntN(8) == 0 {
			break // the rest has no room
		}
		var now wire.Object
		for _, v := range c.history[key] {
			if v.V <= has {
				now = v
			}
		}
		if now.Data != nil {
			a.Objects[key] = now
		} else {
			a.Missing = append(a.Missing, key)
		}
	}
	c.mu.Unlock()
	c.sleep(ctx)
	return a, nil
}

func besides(o *Objects, c *core) *sibling {
	s := &sibling{c: c}
	o.cfg.Siblings = s
	return s
}

// What a sibling has is not asked of the core.
func TestASiblingIsAskedFirst(t *testing.T) {
	bubble(t, 1<<20, 3, func(t *testing.T, o *Objects, c *core) {
		s := besides(o, c)
		for i := range 20 {
			c.put(fmt.Sprintf("user:a%d0", i), "Ann")
		}
		time.Sleep(time.Second)
		for i := range 20 {
			if got := get(t, o, fmt.Sprintf("user:a%d0", i))[0]; !got.Exists() {
				t.Errorf("user:a%d0 is %v", i, got)
			}
		}
		if s.asked != 20 || c.asked > 6 { // one in ten fails, the last may have been put after what it has
			t.Errorf("the sibling was asked for %d, the core for %d", s.asked, c.asked)
		}
	})
}

// A sibling that is gone costs nothing but the question.
func TestADeadSibling(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		besides(o, c).dead = true
		c.put("user:ann", "Ann")
		if got := get(t, o, "user:ann", "user:bob"); !got[0].Exists() || got[1].Exists() {
			t.Errorf("got %v", got)
		}
		if c.asked != 2 {
			t.Errorf("the core was asked for %d", c.asked)
		}
	})
}

// Who answers a sibling asks the core itself, whoever else there is.
func TestASiblingAsksNoSibling(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		s := besides(o, c)
		c.put("user:ann", "Ann")
		out := make([]*Object, 1)
		if err := o.GetHere(t.Context(), []string{"user:ann"}, out); err != nil || !out[0].Exists() {
			t.Fatalf("got %v, %v", out[0], err)
		}
		if s.asked != 0 || c.asked != 1 {
			t.Errorf("the sibling was asked for %d, the core for %d", s.asked, c.asked)
		}
	})
}

// A reset while a sibling is asked leaves nothing.
func TestResetWhileASiblingIsAsked(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		besides(o, c)
		done := make(chan error)
		go func() { done <- o.Get(t.Context(), []string{"user:ann", "user:b7"}, make([]*Object, 2)) }()
		synctest.Wait()
		o.Reset()
		if err := <-done; err == nil {
			t.Error("an answer of another log")
		}
		time.Sleep(time.Minute)
		if n := c.interests(); n != 0 || o.Bytes() != 0 {
			t.Errorf("%d interests and %d bytes are left", n, o.Bytes())
		}
	})
}

// What was used last is hot, and is there before anybody asks once a sibling was asked
// for it.
func TestHotAndWarm(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		for i := range 100 {
			c.put(fmt.Sprintf("user:a%d0", i), "Ann")
			get(t, o, fmt.Sprintf("user:a%d0", i), fmt.Sprintf("user:none%d0", i))
		}
		hot := o.Hot(1000)
		if len(hot) != 100 {
			t.Errorf("%d of 100 documents that exist are hot", len(hot))
		}
		if few := o.Hot(10); len(few) > 10 || len(few) == 0 {
			t.Errorf("10 were asked for, %d are hot", len(few))
		}
		o.Reset()
		synctest.Wait()
		s := besides(o, c)
		s.sure = true
		before := c.asked
		o.Warm("near", hot)
		time.Sleep(10 * time.Second)
		there := 0
		for _, key := range hot {
			if got, ok := o.Peek(key); ok && got.Exists() {
				there++
			}
		}
		if there != 100 || s.asked != 100 || c.asked-before > 5 { // of what was put last it is not sure
			t.Errorf("%d of 100 are there; the sibling was asked for %d, the core for %d", there, s.asked, c.asked-before)
		}
		o.Warm("near", hot)
		time.Sleep(time.Second)
		if s.asked != 100 {
			t.Errorf("what is there was asked for again: %d", s.asked)
		}
	})
}
