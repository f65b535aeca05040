package objects

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// bubble runs a test with objects over a simulated link.
func bubble(t *testing.T, budget int, seed uint64, test func(t *testing.T, o *Objects, c *core)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newCore(ctx, seed)
		o := New(Config{Upstream: c, Budget: budget, Logger: slog.New(slog.DiscardHandler)})
		c.o = o
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = o.Run(ctx)
		}()
		test(t, o, c)
		cancel()
		<-done
		synctest.Wait()
	})
}

func get(t *testing.T, o *Objects, keys ...string) []*Object {
	t.Helper()
	out := make([]*Object, len(keys))
	if err := o.Get(t.Context(), keys, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// An answer is what the core had at a moment no older than what had come when it
// was asked for, whatever changes, is evicted, and overtakes what; and when
// everything is quiet, what is here is what is there.
func TestNeverOlderThanWhatCame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		budget := rapid.SampledFrom([]int{1, 16 * 2000, 1 << 20}).Draw(rt, "budget")
		users := rapid.IntRange(1, 40).Draw(rt, "users")
		sibling := rapid.Bool().Draw(rt, "sibling")
		bubble(t, budget, seed, func(t *testing.T, o *Objects, c *core) {
			if sibling {
				besides(o, c)
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			var watching sync.WaitGroup
			key := func() string { return fmt.Sprintf("user:%d", rng.IntN(users)) }
			for n := range 300 {
				switch rng.IntN(8) {
				case 0, 1:
					c.put(key(), fmt.Sprint("name ", n))
				case 2:
					c.put(key(), "")
				case 3:
					c.watermark()
				case 4:
					c.mu.Lock()
					k := key()
					var doc wire.Object
					if v := c.history[k]; len(v) > 0 {
						doc = v[len(v)-1]
					}
					read := c.v
					c.mu.Unlock()
					watching.Go(func() {
						c.sleep(t.Context())
						o.Seed(k, doc, read)
					})
				default:
					keys := []string{key(), key(), key(), key(), key()}[:1+rng.IntN(5)]
					watching.Go(func() {
						c.mu.Lock()
						pos := c.pos
						c.mu.Unlock()
						out := make([]*Object, len(keys))
						if err := o.Get(t.Context(), keys, out); err != nil {
							t.Error(err)
							return
						}
						for i, k := range keys {
							if err := c.check(k, out[i], pos); err != nil {
								t.Error(err)
							}
						}
					})
				}
				time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
			}
			watching.Wait()
			c.watermark()
			time.Sleep(time.Minute)
			for i := range users {
				k := fmt.Sprintf("user:%d", i)
				if err := c.check(k, get(t, o, k)[0], c.v); err != nil {
					t.Error("in the end:", err)
				}
			}
			o.Reset()
			synctest.Wait() // what was put out for the last answer is dropped by who took it
			if n := c.interests(); n != 0 || o.Bytes() != 0 {
				t.Errorf("%d interests and %d bytes are left", n, o.Bytes())
			}
			time.Sleep(time.Second)
		})
	})
}

// However many ask at once, the core is asked once for each, in few questions;
// and that there is no such document is remembered.
func TestAskedOnce(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:ann", "Ann")
		var g sync.WaitGroup
		for range 1000 {
			g.Go(func() {
				got := get(t, o, "user:ann", "user:bob")
				if !strings.Contains(got[0].Data.String(), "Ann") || got[1].Exists() {
					t.Errorf("got %v", got)
				}
			})
		}
		g.Wait()
		get(t, o, "user:bob")
		if c.asked != 2 || c.queries > 2 {
			t.Errorf("%d keys in %d questions", c.asked, c.queries)
		}
		c.put("user:bob", "Bob") // who now exists
		time.Sleep(time.Second)
		if got, ok := o.Peek("user:bob"); !ok || !got.Exists() {
			t.Errorf("bob is %v", got)
		}
	})
}

// Whoever asked first may leave: the others get the answer.
func TestTheFirstLeaves(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:ann", "Ann")
		ctx, leave := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { first <- o.Get(ctx, []string{"user:ann"}, make([]*Object, 1)) }()
		synctest.Wait()
		second := make(chan *Object)
		go func() { second <- get(t, o, "user:ann")[0] }()
		synctest.Wait()
		leave()
		if err := <-first; err == nil {
			t.Error("who left got an answer")
		}
		if got := <-second; !got.Exists() || c.asked != 1 {
			t.Errorf("got %v, asked %d", got, c.asked)
		}
	})
}

// A failure is not remembered, and leaves no interest.
func TestFailure(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.fail = true
		if err := o.Get(t.Context(), []string{"user:ann"}, make([]*Object, 1)); err == nil {
			t.Fatal("no error")
		}
		synctest.Wait()
		if n := c.interests(); n != 0 || o.Bytes() != 0 {
			t.Errorf("%d interests, %d bytes", n, o.Bytes())
		}
		c.fail = false
		get(t, o, "user:ann")
	})
}

// An answer that comes after everything was forgotten is nobody's.
func TestResetWhileLoading(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:ann", "Ann")
		done := make(chan error)
		go func() { done <- o.Get(t.Context(), []string{"user:ann"}, make([]*Object, 1)) }()
		synctest.Wait()
		o.Reset()
		if err := <-done; err == nil {
			t.Error("an answer of before")
		}
		time.Sleep(time.Second)
		if n := c.interests(); n != 0 || o.Bytes() != 0 {
			t.Errorf("%d interests, %d bytes", n, o.Bytes())
		}
		get(t, o, "user:ann")
	})
}

// watcher notes what it is told.
type watcher struct {
	mu  sync.Mutex
	got []wire.Seq
}

func (w *watcher) ObjectMoved(o *Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, o.V)
}

// Who watches is told of each version, keeps the document in the cache, and is
// told no more once it has left.
func TestWatch(t *testing.T) {
	bubble(t, 16*4000, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:ann", "1")
		w := &watcher{}
		for range 2 {
			if !o.Watch("user:ann", w) {
				t.Fatal("refused")
			}
		}
		get(t, o, "user:ann")
		c.put("user:ann", "2")
		time.Sleep(time.Second)
		for i := range 1000 { // others push it out, if they can
			c.put(fmt.Sprintf("user:%d", i), strings.Repeat("x", 1000))
			get(t, o, fmt.Sprintf("user:%d", i))
		}
		c.put("user:ann", "3")
		c.put("user:ann", "")
		time.Sleep(time.Second)
		o.Unwatch("user:ann", w)
		c.put("user:ann", "4")
		time.Sleep(time.Second)
		if fmt.Sprint(w.got) != "[2 1003 1004]" {
			t.Errorf("told of %v", w.got)
		}
	})
}

// What isn't there has a small share of the budget, and pushes out nothing else.
func TestMadeUpIDs(t *testing.T) {
	const budget = 1 << 20
	bubble(t, budget, 1, func(t *testing.T, o *Objects, c *core) {
		c.most = time.Millisecond
		for i := range 100 {
			c.put(fmt.Sprintf("user:%d", i), "x")
			get(t, o, fmt.Sprintf("user:%d", i))
		}
		for i := range 3000 {
			get(t, o, fmt.Sprintf("user:made-up-%d", i))
		}
		for i := range 100 {
			if _, ok := o.Peek(fmt.Sprintf("user:%d", i)); !ok {
				t.Errorf("user %d is gone", i)
			}
		}
		if n := o.Bytes(); n > budget/4 || n < budget/missingShare/2 {
			t.Errorf("%d bytes", n)
		}
		time.Sleep(time.Second)
	})
}

// What an object is sent as is made once, counted, and the same for all.
func TestPacket(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:ann", strings.Repeat("Ann", 100))
		ann := get(t, o, "user:ann")[0]
		before := o.Bytes()
		p := ann.PacketIn(cache.FormOf(wire.JSON, false))
		if !strings.Contains(string(p), `"t":"object","key":"user:ann","v":1,"data":{"name":"Ann`) {
			t.Errorf("%q", p)
		}
		if again := ann.PacketIn(cache.FormOf(wire.JSON, false)); &again[0] != &p[0] || o.Bytes() != before+len(p)+sliceHeader {
			t.Errorf("%d bytes, from %d", o.Bytes(), before)
		}
	})
}

// What the documents are said to take is what they take.
func TestBytesAreTrue(t *testing.T) {
	bubble(t, 1<<30, 1, func(t *testing.T, o *Objects, c *core) {
		const n = 20_000
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			key := fmt.Sprintf("user:%06d", i)
			s := o.shardOf(key)
			e := &entry{obj: o.version(s, key, 1, text(strings.Repeat("x", 300)))}
			s.mu.Lock()
			s.putLocked(e.obj.Key, e)
			s.mu.Unlock()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		took := float64(after.HeapAlloc - before.HeapAlloc)
		if said := float64(o.Bytes()); said < 0.85*took || said > 1.15*took {
			t.Errorf("said to take %.0f bytes each, but take %.0f", said/n, took/n)
		}
		runtime.KeepAlive(o)
	})
}
