package session

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// A client that says more than can be handled is not read, and read again later:
// nothing is lost.
func TestAClientThatSaysTooMuchIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QPublish)
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		const posts = 2000
		sent := make(chan int, posts)
		go func() {
			for i := range posts {
				c.send(fmt.Sprintf(`{"t":"publish","id":%d,"ch":"topic:x","data":1}`, i+1))
				sent <- i
			}
		}()
		synctest.Wait()
		if n := len(sent); n > 10*maxQueue {
			t.Errorf("%d messages were taken of a client that waits, want some %d", n, maxQueue)
		}
		open()
		if got := c.answers(); len(got) != posts {
			t.Errorf("%d answers, want %d", len(got), posts)
		}
	})
}

func TestQuestionsUnderWayAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QHistory)
		c := r.hello("u1", "")
		c.one("welcome")
		for i := range 3 * maxReads {
			c.send(fmt.Sprintf(`{"t":"history","id":%d,"ch":"inbox:u1","limit":%[1]d}`, i+1))
		}
		synctest.Wait()
		if n := len(r.core.questions(wire.QHistory)); n != maxReads {
			t.Errorf("%d questions are under way, want %d", n, maxReads)
		}
		open()
		if got := c.answers(); len(got) != 3*maxReads {
			t.Errorf("%d answers, want %d", len(got), 3*maxReads)
		}
	})
}

// Many sessions that lack the same channels ask once for each, from the oldest
// position.
func TestFillsAreCoalesced(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, room := range []wire.RoomID{"a", "b", "c"} {
			r.core.member("u1", room, 5)
		}
		r.hello("u1", "").one("welcome")
		open := r.core.gate(wire.QFill)
		var all []*client
		for i := range 10 {
			at := 60 - i
			all = append(all, r.hello("u1", fmt.Sprintf(`,"resume":{"epoch":"e1","at":{"0":%d,"1":%d},"v":13}`, at, at)))
		}
		synctest.Wait()
		open()
		for _, c := range all {
			c.one("welcome")
		}
		asked := map[wire.Channel]int{}
		for _, q := range r.core.questions(wire.QFill) {
			for _, ch := range q.Chs {
				asked[ch]++
			}
		}
		if n := len(r.core.questions(wire.QFill)); n > 3 {
			t.Errorf("%d questions for 4 channels: %v", n, asked)
		}
		// All are live again.
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5})
		for _, c := range all {
			c.one("message")
		}
	})
}

// A fill that fails is asked again, with a pause.
func TestAFillThatFailsIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		r.hello("u1", "").one("welcome")
		bad := true
		r.core.set(func() {
			r.core.answer = func(q *wire.Query) *wire.Answer {
				if q.T == wire.QFill && bad {
					return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable}}
				}
				return nil
			}
		})
		c := r.hello("u1", `,"resume":{"epoch":"e1","at":{"0":50,"1":50},"v":11}`)
		c.one("welcome")
		time.Sleep(10 * time.Second)
		if n := len(r.core.questions(wire.QFill)); n < 5 || n > 15 {
			t.Errorf("asked %d times in 10 s, want some 10", n)
		}
		r.core.set(func() { bad = false })
		time.Sleep(2 * time.Second)
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5})
		c.one("message")
	})
}

// coveredEngine notes which logs' readers were woken.
type coveredEngine struct {
	Engine
	logs []wire.LogID
}

func (e *coveredEngine) Covered(p wire.LogID) { e.logs = append(e.logs, p) }

// Two readers lack different places of a channel, and the older place was filled
// before it was asked for: the other one is woken all the same, to ask for its own.
func TestWhoLacksAnotherPlaceIsWoken(t *testing.T) {
	c := cache.New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(100)
	if _, err := ch.Fill(&wire.Fill{Ch: ch.Name, Floor: 40, Upto: 43}); err != nil {
		t.Fatal(err)
	}
	if _, lacks := ch.Lacks(44); !lacks {
		t.Fatal("the reader at 44 lacks nothing")
	}
	e := &coveredEngine{}
	m := New(Config{Cache: c})
	m.Bind(t.Context(), e)
	m.fills.asked[ch], m.fills.busy = 40, true
	m.askFills()
	if !slices.Equal(e.logs, []wire.LogID{0}) || m.fills.busy {
		t.Errorf("woken: %v, busy %v", e.logs, m.fills.busy)
	}
}

// Sessions that come back in thousands are asked for together, however long that
// takes; one that is new among them is welcome at once.
func TestAStormOfReturnsIsFewQuestions(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var all []*client
		for i := range 500 { // in 5 s
			all = append(all, r.dial().send(fmt.Sprintf(`{"t":"hello","token":"b%d","resume":{"epoch":"e1",%s,"v":10}}`, i, at100)))
			time.Sleep(10 * time.Millisecond)
		}
		r.hello("new", "").one("welcome")
		time.Sleep(stormGap)
		for _, c := range all {
			c.one("welcome")
		}
		if n := len(r.core.questions(wire.QHello)); n > stormRate+2+5*int(time.Second/stormGap)+2 {
			t.Errorf("%d questions for %d sessions", n, len(all))
		}
	})
}

// A storm that lasts, as where machines have no time, is not many more questions.
func TestALongStormIsFewQuestions(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const lasts = 40 * time.Second
		var all []*client
		for i := range int(lasts / (25 * time.Millisecond)) {
			all = append(all, r.dial().send(fmt.Sprintf(`{"t":"hello","token":"b%d","resume":{"epoch":"e1",%s,"v":10}}`, i, at100)))
			time.Sleep(25 * time.Millisecond)
		}
		time.Sleep(longestGap)
		for _, c := range all {
			c.one("welcome")
		}
		// Those before the storm is known; then four a second until a tenth of what it lasts
		// is more than stormGap, then 10/t a second up to longestGap.
		if n := len(r.core.questions(wire.QHello)); n > stormRate+2+10+21+11 {
			t.Errorf("%d questions for %d sessions in %v", n, len(all), lasts)
		}
		// It is over: who comes back alone does not wait.
		time.Sleep(3 * time.Second)
		begun := time.Now()
		r.dial().send(`{"t":"hello","token":"last","resume":{"epoch":"e1",` + at100 + `,"v":10}}`).one("welcome")
		if took := time.Since(begun); took > 0 {
			t.Errorf("after the storm one waited for %v", took)
		}
	})
}
