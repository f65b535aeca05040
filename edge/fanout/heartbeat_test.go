package fanout

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// Sockets that came at once are not pinged at once, but each once per interval.
func TestPingsAreSpread(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: 10 * time.Second}}, func(r *rig) {
		var all []*peer
		for i := range 40 {
			all = append(all, r.enter(wire.UserID(fmt.Sprint("u", i)), wire.Msgpack))
		}
		pings := func() (sum int) {
			for _, c := range all {
				c.mu.Lock()
				sum += c.pings
				c.mu.Unlock()
			}
			return sum
		}
		most, before := 0, 0
		for range 100 {
			pass(100 * time.Millisecond)
			n := pings()
			most, before = max(most, n-before), n
		}
		if most > 4 || before < 38 || before > 42 {
			t.Errorf("%d pings in one interval, %d of them at once", before, most)
		}
		pass(100 * time.Second)
		if n := pings() - before; n < 38*10 || n > 42*10 {
			t.Errorf("%d pings in ten intervals", n)
		}
		if r.e.Sockets() != 40 {
			t.Errorf("%d sockets are left", r.e.Sockets())
		}
	})
}

// With the pings comes the cursor: what the session has, but for logs that lag
// or have a late channel. v says what it was told of its memberships.
func TestCursorMessages(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: time.Second}}, func(r *rig) {
		a := r.hold(room(0, 0))
		hangs, _ := r.cache.Acquire(room(1, 0))
		ann := r.enter("ann", wire.JSON, a)
		lags := r.start(wire.Msgpack, &Start{User: "bob", Rooms: r.rooms(a, hangs)})
		late := r.enter("cat", wire.JSON)
		r.join("cat", hangs, 0, 3)
		r.e.Seen(5)
		r.publish(a.Name, 7)
		r.bring(1, 0)
		pass(1100 * time.Millisecond)
		want := func(c *peer, text string) {
			t.Helper()
			got := c.cursors()
			if len(got) == 0 || got[len(got)-1] != text {
				t.Errorf("cursors %q, want %s", got, text)
			}
			c.take()
		}
		want(ann, "cursor map[0:7 1:0] v5")
		want(lags, "cursor map[0:7] v5")
		want(late, "cursor map[0:7] v5")
		r.live(hangs, 0)
		r.e.Seen(4) // the past
		r.e.Seen(6)
		pass(1100 * time.Millisecond)
		for _, c := range []*peer{ann, lags, late} {
			want(c, "cursor map[0:7 1:0] v6")
		}
		r.e.Seen(8) // while every log stands still
		pass(1100 * time.Millisecond)
		want(ann, "cursor map[0:7 1:0] v8")
		// Another epoch begins with its own numbers.
		r.e.Restart([]wire.Seq{3, 4}, "epoch")
		r.e.Seen(1)
		synctest.Wait()
		for _, c := range []*peer{ann, lags, late} {
			c.expect("close 4000")
		}
		pass(time.Second)
		dan := r.enter("dan", wire.JSON)
		pass(1100 * time.Millisecond)
		want(dan, "cursor map[0:3 1:4] v1")
	})
}

// A channel's own position is forgotten when its log has passed it.
func TestOwnPositionsAreForgotten(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: time.Second}}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON)
		r.join("ann", a, 3, 1) // this edge's log has yet to get there
		r.publish(a.Name, 4)
		ann.expect("joined "+string(a.Name)+" 3", "live "+string(a.Name)+" 3", frames(a.Name, 4)[0])
		pass(1100 * time.Millisecond)
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if k.extra != nil {
					t.Errorf("it keeps %+v", k.extra)
				}
			}
		})
	})
}

// A peer that says nothing is gone within two intervals of the first ping that
// it leaves unanswered; one that answers, reads slowly, or whose session is
// busy is not.
func TestDeadPeer(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: 10 * time.Second, Budget: 1000}, sendBuffer: 100}, func(r *rig) {
		a := r.hold(room(0, 0))
		dead, well, busy, slow := r.enter("a", wire.JSON), r.enter("b", wire.JSON), r.enter("c", wire.JSON), r.enter("d", wire.JSON, a)
		for _, c := range []*peer{dead, busy, slow} {
			c.mu.Lock()
			c.mute = true
			c.mu.Unlock()
		}
		busy.sock.Busy(true)
		slow.deaf()
		start := time.Now()
		for time.Since(start) < 60*time.Second {
			r.publish(a.Name, 10)
			pass(time.Second)
			slow.hears() // a little
			synctest.Wait()
			slow.deaf()
			if dead.closed == 0 && time.Since(start) > 31*time.Second {
				t.Fatal("a dead peer is still there")
			}
		}
		slow.hears()
		if well.closed != 0 || busy.closed != 0 || slow.closed != 0 || dead.closed != 1 {
			t.Errorf("closed: %d that answers, %d busy, %d slow", well.closed, busy.closed, slow.closed)
		}
		if !slices.Equal(r.closes, []wire.CloseCode{0}) {
			t.Errorf("closes %v", r.closes)
		}
	})
}

// A loop that stood still, as in a suspended machine, takes nobody for dead.
func TestStalledLoopKillsNobody(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: 2 * time.Second}}, func(r *rig) {
		ann := r.enter("ann", wire.JSON)
		pass(3 * time.Second)
		r.inside(func(s *shard) { <-time.After(time.Minute) })
		pass(10 * time.Second)
		if ann.closed != 0 {
			t.Error("closed")
		}
	})
}

// Who says no hello in time is told to come again: it may be slow, and isn't wrong.
func TestHelloTimeout(t *testing.T) {
	bubble(t, rigConfig{Config: Config{HelloTimeout: 3 * time.Second}}, func(r *rig) {
		first := r.attach(wire.JSON)
		pass(time.Second)
		second := r.attach(wire.Msgpack)
		good := r.enter("ann", wire.JSON)
		pass(1900 * time.Millisecond)
		first.expect()
		pass(200 * time.Millisecond)
		first.expect("close 4000")
		second.expect()
		pass(time.Second)
		second.expect("close 4000")
		good.expect()
		r.inside(func(s *shard) {
			if len(s.hellos) != 0 || s.wheel.len() != 1 {
				t.Errorf("%d hellos and %d sockets are kept", len(s.hellos), s.wheel.len())
			}
		})
	})
}

// Who said hello and got no answer in time may come again: it did nothing wrong.
func TestHelloTimeoutOfOurOwn(t *testing.T) {
	bubble(t, rigConfig{Config: Config{HelloTimeout: 3 * time.Second}}, func(r *rig) {
		c := r.connect(wire.JSON)
		pass(4 * time.Second)
		c.expect("close 4000")
	})
}
