package relay

import (
	"context"
	"slices"
	"sync"
	"testing"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// core is an Upstream that has everything, and answers a want at once, unless it is
// held back.
type core struct {
	*linktest.Memory
	r *Relay

	mu      sync.Mutex
	wanted  map[wire.Key]int               // guarded by mu
	late    bool                           // guarded by mu: wants wait for answer
	waiting map[wire.LogID][]upstream.Want // guarded by mu
	asked   []wire.Query                   // guarded by mu
}

const logs = 2

func newCore() *core {
	c := &core{Memory: linktest.NewMemory(logs, 1<<20), wanted: map[wire.Key]int{}, waiting: map[wire.LogID][]upstream.Want{}}
	c.r = New(Config{Upstream: c, Position: c.End, Signal: func(string, *wire.Signal) {}, TailBytes: 1 << 20})
	c.r.Begin("memory", logs)
	for _, p := range []wire.LogID{0, 1, wire.StateLog} {
		c.r.Placed(p, true)
	}
	return c
}

func (c *core) Want(p wire.LogID, wants ...upstream.Want) {
	c.mu.Lock()
	for _, w := range wants {
		c.wanted[w.Key]++
	}
	c.waiting[p] = append(c.waiting[p], wants...)
	late := c.late
	c.mu.Unlock()
	if !late {
		c.answer(p)
	}
}

// answer sends the markers of what was wanted.
func (c *core) answer(p wire.LogID) {
	c.mu.Lock()
	wants := c.waiting[p]
	delete(c.waiting, p)
	c.mu.Unlock()
	for _, w := range wants {
		c.r.Live(p, w, len(c.Moved(nil, p, []wire.Key{w.Key}, w.Since)) > 0, link.Marker{Seq: c.End(p)})
	}
}

func (c *core) Drop(_ wire.LogID, keys ...wire.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		if c.wanted[k]--; c.wanted[k] == 0 {
			delete(c.wanted, k)
		}
	}
}

func (c *core) wants() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.wanted)
}

func (c *core) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	c.mu.Lock()
	c.asked = append(c.asked, *q)
	c.mu.Unlock()
	return c.Memory.Query(ctx, "relay", q, 0), nil
}

// publish is a frame that comes down to the relay, if it is wanted there.
func (c *core) publish(ch wire.Channel) (wire.LogID, wire.Seq) {
	p, seq := c.Publish(ch, 10)
	f := c.Tail(p).Follow(seq - 1)
	defer f.Stop()
	records, err := f.Read(nil, 1, 1<<20)
	if err != nil {
		panic(err) // a test's mistake
	}
	c.mu.Lock()
	_, wanted := c.wanted[wire.FramesKey(ch)]
	c.mu.Unlock()
	if wanted {
		c.r.Records(p, records)
	}
	return p, seq
}

func TestRelayIsASource(t *testing.T) {
	linktest.TestSource(t, func(*testing.T) linktest.Subject {
		c := newCore()
		return linktest.Subject{Source: c.r, Publish: c.publish}
	})
}

const room = wire.Channel("room:a")

func roomLog() wire.LogID { return wire.LogOf(room, logs) }

// ask asks for a room, and returns where it is told from.
func ask(c *core, tl *tail.Tail, since wire.Seq) chan wire.Seq {
	from := make(chan wire.Seq, 1)
	c.r.Hold(roomLog(), tl, []wire.Key{wire.FramesKey(room)}, since, func(at wire.Seq) { from <- at })
	return from
}

// What a core has yet to answer is not held: what came before is not there.
func TestHeldFromTheMarkerOn(t *testing.T) {
	c := newCore()
	p := roomLog()
	c.Publish(room, 10)
	tl := c.r.Tail(p)
	c.late = true
	first, second := ask(c, tl, 0), ask(c, tl, 0)
	c.Publish(room, 10) // before the marker: it does not come down
	if len(first)+len(second) > 0 {
		t.Fatal("told before the marker")
	}
	c.answer(p)
	if a, b := <-first, <-second; a != 2 || b != 2 {
		t.Errorf("held from %d and %d on, want 2", a, b)
	}
	if n := c.wanted[wire.FramesKey(room)]; n != 1 {
		t.Errorf("the core was asked %d times", n)
	}
	if got := c.r.Moved(nil, p, []wire.Key{wire.FramesKey(room)}, 1); len(got) != 1 {
		t.Error("a room that has, or may have, frames after 1 is told not to have")
	}
	if got := c.r.Moved(nil, p, []wire.Key{wire.FramesKey(room)}, 2); len(got) != 0 {
		t.Error("a room without frames after 2 is told to have")
	}
	c.publish(room)
	if got := c.r.Moved(nil, p, []wire.Key{wire.FramesKey(room)}, 2); len(got) != 1 {
		t.Error("a room with a frame after 2 is told not to have")
	}
}

// Since nothing came between where the asker stands and the marker, it is held from
// where the asker stands.
func TestHeldFromWhereTheAskerStands(t *testing.T) {
	c := newCore()
	c.Publish(room, 10)
	for range 5 { // another room of the log, or not
		c.Publish("room:other", 10)
	}
	if from := <-ask(c, c.r.Tail(roomLog()), 1); from != 1 {
		t.Errorf("held from %d on, want 1", from)
	}
}

// The last who gives an interest back ends it.
func TestInterestsAreCounted(t *testing.T) {
	c := newCore()
	p, keys := roomLog(), []wire.Key{wire.FramesKey(room)}
	tl := c.r.Tail(p)
	<-ask(c, tl, 0)
	<-ask(c, tl, 0)
	c.r.Release(p, tl, keys)
	if c.wants() != 1 {
		t.Error("given up while another has it")
	}
	c.r.Release(p, tl, keys)
	if c.wants() != 0 {
		t.Error("kept though nobody has it")
	}
	if tl.Bytes() > 0 {
		t.Errorf("%d bytes are kept for nobody", tl.Bytes())
	}
}

// A log that another edge feeds us is fed to nobody (rule 11), and what was held of it
// is not given back twice.
func TestFedByCoresOnly(t *testing.T) {
	c := newCore()
	p, keys := roomLog(), []wire.Key{wire.FramesKey(room)}
	old := c.r.Tail(p)
	over := c.r.Over(p)
	<-ask(c, old, 0)
	c.r.Placed(p, false)
	select {
	case <-over:
	default:
		t.Error("who follows is not told")
	}
	if c.r.Tail(p) != nil {
		t.Error("a log that we take from an edge has a tail")
	}
	c.r.Placed(p, true)
	tl := c.r.Tail(p)
	if tl == nil || tl == old {
		t.Fatal("no new tail")
	}
	<-ask(c, tl, 0)
	c.r.Release(p, old, keys)
	if c.publish(room); tl.End() == 0 || c.wants() != 1 {
		t.Error("what was held of the old tail was given back to the new one")
	}
	c.r.Gap(p)
	if c.r.Tail(p) == tl {
		t.Error("a log with a hole goes on")
	}
}

// Who asks for what the tail has gets it here, and the core is asked for the rest, in
// one question.
func TestFillsFromTheTail(t *testing.T) {
	c := newCore()
	p := roomLog()
	other := wire.Channel("room:other")
	c.Publish(other, 10)
	<-ask(c, c.r.Tail(p), c.End(p))
	_, first := c.publish(room)
	_, last := c.publish(room)
	a := c.r.Query(t.Context(), "e", &wire.Query{T: wire.QFill, Chs: []wire.Channel{room}, Afters: []wire.Seq{first - 1}, Uptos: []wire.Seq{last}}, 0)
	if a.Err != nil || len(a.Fills) != 1 || len(a.Fills[0].Frames) != 2 || len(c.asked) != 0 {
		t.Fatalf("answered %+v, the core was asked %d times", a, len(c.asked))
	}
	end := c.End(wire.LogOf(other, logs))
	a = c.r.Query(t.Context(), "e", &wire.Query{
		T: wire.QFill, P: 7, Marker: 3, Chs: []wire.Channel{other, room}, Afters: []wire.Seq{0, first}, Uptos: []wire.Seq{end, last},
	}, 0)
	if a.Err != nil || len(a.Fills) != 2 || a.Fills[0].Ch != other || len(a.Fills[0].Frames) != 1 || len(a.Fills[1].Frames) != 1 {
		t.Fatalf("answered %+v", a)
	}
	if len(c.asked) != 1 || !slices.Equal(c.asked[0].Chs, []wire.Channel{other}) || c.asked[0].Marker != 0 {
		t.Errorf("the core was asked %+v", c.asked)
	}
}

// Before the logs are known there is nothing.
func TestNothingYet(t *testing.T) {
	r := New(Config{})
	if r.Tail(0) != nil || r.Over(0) != nil || r.Logs() != 0 || r.Epoch() != "" || r.Feeds(0) {
		t.Error("there are logs")
	}
}
