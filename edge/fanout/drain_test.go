package fanout

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// goaways are when clients were asked to go, counted from start.
type goaways struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration
	heard []wire.Goaway
	by    map[*peer]int
}

func (g *goaways) watch(c *peer) {
	c.onMsg = func(m message) {
		if m.T != wire.TGoaway {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.at = append(g.at, time.Since(g.start))
		g.heard = append(g.heard, wire.Goaway{AfterMS: m.AfterMS, Edges: m.Edges})
		g.by[c]++
	}
}

func named(ids ...string) func(any) []wire.EdgeRef {
	var out []wire.EdgeRef
	for _, id := range ids {
		out = append(out, wire.EdgeRef{ID: id, Region: "eu-west", URL: "http://" + id})
	}
	return func(any) []wire.EdgeRef { return out }
}

// Every session is asked once to go, evenly over three quarters of the window,
// with what is left of it; also when they all came at the same moment, as after
// a storm.
func TestDrainIsSpread(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		const clients, window = 200, 20 * time.Second
		g := &goaways{by: map[*peer]int{}}
		for i := range clients {
			codec := wire.JSON
			if i%2 == 0 {
				codec = wire.Msgpack
			}
			g.watch(r.enter(wire.UserID(fmt.Sprint("u", i)), codec))
		}
		g.start = time.Now()
		r.e.Drain(g.start.Add(window), named("b", "c"))
		pass(window)
		if len(g.at) != clients || len(g.by) != clients {
			t.Fatalf("%d goaways to %d of %d clients", len(g.at), len(g.by), clients)
		}
		for i, at := range g.at {
			if want := clients * float64(at) / float64(window*3/4); max(want-float64(i), float64(i)-want) > clients/20 {
				t.Errorf("goaway %d came after %v", i, at)
			}
			left := (window - at).Milliseconds()
			if after := int64(g.heard[i].AfterMS); after > left || after < left-100 {
				t.Errorf("goaway at %v: %d ms left, after_ms is %d", at, left, after)
			}
			if e := g.heard[i].Edges; len(e) != 2 || e[0].ID != "b" || e[0].URL != "http://b" {
				t.Errorf("goaway names %v", e)
			}
		}
		if last := slices.Max(g.at); last > window*3/4+200*time.Millisecond {
			t.Errorf("the last one came after %v of %v", last, window)
		}
	})
}

// One that comes to a session late is asked, one that has gone is not waited
// for, and one without a session isn't told.
func TestDrainWithComingAndGoing(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		const window = 10 * time.Second
		g := &goaways{by: map[*peer]int{}, start: time.Now()}
		var peers []*peer
		for i := range 20 {
			c := r.enter(wire.UserID(fmt.Sprint("u", i)), wire.JSON)
			g.watch(c)
			peers = append(peers, c)
		}
		late := r.connect(wire.JSON)
		g.watch(late)
		r.e.Drain(g.start.Add(window), named("b"))
		pass(window / 2)
		for _, c := range peers[:10] {
			_ = c.nc.Close()
		}
		pass(window/4 + time.Second)
		if g.by[late] != 0 {
			t.Error("one that has no session yet was asked to go")
		}
		r.begin(late, &Start{User: "late"})
		pass(time.Second)
		if g.by[late] != 1 {
			t.Errorf("the latecomer was asked %d times", g.by[late])
		}
		for i, c := range peers[10:] {
			if g.by[c] != 1 {
				t.Errorf("client %d was asked %d times", i+10, g.by[c])
			}
		}
		r.inside(func(s *shard) {
			if s.drain.asked != s.wheel.len() {
				t.Errorf("%d of %d sockets count as asked", s.drain.asked, s.wheel.len())
			}
		})
	})
}

// Nobody is sent away while there is nowhere to go.
func TestDrainWithoutOthers(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		g := &goaways{by: map[*peer]int{}, start: time.Now()}
		for i := range 10 {
			g.watch(r.enter(wire.UserID(fmt.Sprint("u", i)), wire.JSON))
		}
		var mu sync.Mutex
		others := named()
		r.e.Drain(g.start.Add(20*time.Second), func(any) []wire.EdgeRef {
			mu.Lock()
			defer mu.Unlock()
			return others(nil)
		})
		pass(10 * time.Second)
		if len(g.at) != 0 || r.e.Sockets() != 10 {
			t.Fatalf("%d were asked to go, %d are left", len(g.at), r.e.Sockets())
		}
		mu.Lock()
		others = named("b")
		mu.Unlock()
		pass(6 * time.Second)
		if len(g.at) != 10 {
			t.Errorf("%d were asked to go when another edge came", len(g.at))
		}
		if early := slices.Index(g.at, slices.Min(g.at)); g.at[early] > 12*time.Second || slices.Max(g.at)-g.at[early] < time.Second {
			t.Errorf("they were asked at %v", g.at)
		}
	})
}

// After Deafen nothing of what clients say is handed on, what they are to hear
// still goes out, and then the close.
func TestDeafen(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		ann := r.enter("ann", wire.JSON)
		ann.send("one")
		synctest.Wait()
		r.e.Deafen()
		synctest.Wait()
		if !r.e.Deaf() {
			t.Error("not deaf")
		}
		ann.send("two")
		synctest.Wait()
		if want := []string{"hello", "one"}; !slices.Equal(ann.said, want) {
			t.Errorf("said %q, want %q", ann.said, want)
		}
		ann.sock.SendMessage(wire.Placed{T: wire.TReply, ID: 1, Seq: 7})
		r.e.CloseAll(wire.CloseGoingAway, "going away")
		ann.expect("reply 1 7", "close 1001")
	})
}
