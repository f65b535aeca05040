package door

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/transport"
)

// Those who are refused are told times that are spread evenly over as long as it
// takes to let them in.
func TestWhenToComeAgain(t *testing.T) {
	a := newAdmission(100, 1, 1)
	if a.again(t0) != 0 {
		t.Error("nobody was refused, and one is to come again")
	}
	for range 801 {
		a.admit(t0)
	}
	if back, all := a.window(t0); back != 0 || all != 8*time.Second {
		t.Errorf("the window is %s, of which %s are for those who come back", all, back)
	}
	var quarters [4]int
	for range 4000 {
		quarters[(a.again(t0)-1)/(2*time.Second)]++
	}
	for i, n := range quarters {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 4,000 are told the %d. quarter", n, i+1)
		}
	}
	for after, want := range map[time.Duration]time.Duration{
		time.Second: 8 * time.Second, 1999 * time.Millisecond: 8 * time.Second, 2 * time.Second: 0, -time.Hour: 0,
	} {
		a := newAdmission(100, 1, 1)
		for range 801 {
			a.admit(t0)
		}
		if _, got := a.window(t0.Add(after)); got != want {
			t.Errorf("%s later the window is %s, want %s", after, got, want)
		}
	}
}

func TestTheWindowHasBounds(t *testing.T) {
	a := newAdmission(100, 1, 1)
	for range 2 {
		a.admit(t0)
	}
	if _, w := a.window(t0); w != leastWindow {
		t.Errorf("one was refused: %s", w)
	}
	for range 10_000 {
		a.admit(t0)
	}
	if _, w := a.window(t0); w != mostWindow {
		t.Errorf("10,000 were refused: %s", w)
	}
}

// Of those who are refused, those who come back are told to come again first, and
// all others after them; both in as long as it takes.
func TestWhoComesBackIsToldToComeFirst(t *testing.T) {
	for _, tt := range []struct {
		back, fresh         int
		lastBack, lastFresh time.Duration
	}{
		{400, 200, 4 * time.Second, 6 * time.Second},
		{400, 1, 4 * time.Second, 5 * time.Second},
		{0, 300, 0, 3 * time.Second},
		{1, 1, leastWindow, 2 * leastWindow},
		{100_000, 10, mostWindow * 3 / 4, mostWindow*3/4 + leastWindow},
		{100_000, 100_000, mostWindow * 3 / 4, mostWindow},
	} {
		a := newAdmission(100, 1, 1)
		for range tt.back {
			a.refuse(t0, true)
		}
		for range tt.fresh {
			a.refuse(t0, false)
		}
		between := func(from, to time.Duration, told func() time.Duration) {
			t.Helper()
			first, last := time.Hour, time.Duration(0)
			for range 1000 {
				d := told()
				first, last = min(first, d), max(last, d)
			}
			if near := (to - from) / 20; first <= from || first > from+near || last > to || last < to-near {
				t.Errorf("%+v: told to come between %s and %s, want %s and %s", tt, first, last, from, to)
			}
		}
		if tt.back > 0 {
			between(0, tt.lastBack, func() time.Duration { return a.refused(t0, true) })
		}
		between(tt.lastBack, tt.lastFresh, func() time.Duration { return a.refused(t0, false) })
		between(0, tt.lastFresh, func() time.Duration { return a.again(t0) })
	}
}

func TestTheAnswerToWhoIsRefused(t *testing.T) {
	for after, want := range map[time.Duration]string{1: "1", time.Second: "1", time.Second + 1: "2", 29900 * time.Millisecond: "30", 0: "1"} {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(appendRefusal(nil, after))), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != want || !res.Close || string(body) != refusalBody {
			t.Errorf("%s: %+v %q %v", after, res, body, err)
		}
	}
	b := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { b = appendRefusal(b[:0], time.Minute) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// clock stands still but for what a test says.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return t0.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// newPacedRig is a rig with a rate, whose clock stands still. All connections are
// taken in unless shed.
func newPacedRig(t *testing.T, w way, perSecond float64, shed bool) (*rig, *clock) {
	c := &clock{}
	return newRigWith(t, w, func(cfg *Config) { cfg.Rate = perSecond }, func(d *Door) {
		d.now = c.now
		if !shed {
			d.gate.accepts.SetBurstAt(t0, 1000)
			d.gate.accepts.SetLimitAt(t0, 1000)
			c.advance(time.Second)
		}
	}), c
}

// waits waits until so many wait.
func (r *rig) waits(want int) {
	r.t.Helper()
	r.becomes("clients that wait", r.d.Waiting, want)
}

// refused reads a refusal, behind which there is nothing.
func (c *caller) refused() {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Errorf("no answer: %v", err)
		return
	}
	body, err := io.ReadAll(res.Body)
	after, numErr := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || numErr != nil || after < 1 || res.StatusCode != 503 || string(body) != refusalBody {
		c.t.Errorf("%s, %v, %q, %v", res.Status, res.Header, body, err)
	}
	c.end()
}

// Each way in takes as many as it has tokens for, lets some wait, of whom those
// come in first that come back, and tells the others when to come again.
func TestEachWayPaces(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			r, clock := newPacedRig(t, w, 2, false)
			if len(r.d.cfg.Loops) > 1 {
				r.stop() // they have a line each, and who comes to which is chance
				return
			}
			ask := func(request string) *caller {
				c := r.dial()
				c.send(request, 1000)
				return c
			}
			for range 2 { // the burst
				ask(upgrade()).status("101")
			}
			first := ask(upgrade())
			r.waits(1)
			second := ask(upgrade())
			r.waits(2)
			ask(upgrade()).refused()
			back := ask(comingBack() + "early")
			second.refused()
			if r.d.Waiting() != 2 || r.d.Again() == 0 {
				t.Errorf("%d wait; come again in %s", r.d.Waiting(), r.d.Again())
			}
			if r.d.Admit() {
				t.Error("one overtakes those who wait")
			}
			r.expect(map[Result]int{Taken: 2, Refused: 2})
			clock.advance(500 * time.Millisecond)
			back.status("101")
			back.echoes("early")
			r.waits(1)
			clock.advance(500 * time.Millisecond)
			first.status("101")
			r.expect(map[Result]int{Taken: 4, Refused: 2})
			late := ask(upgrade())
			r.waits(1)
			gone := ask(comingBack())
			r.waits(2)
			_ = gone.Close()
			if !w.tls && w.name != "goroutines" { // there nobody reads while one waits
				r.waits(1)
				r.expect(map[Result]int{Taken: 4, Refused: 2, Failed: 1})
			}
			ask(request("GET /v1/ping HTTP/1.1")).status("200")
			r.closed.Store(true)
			ask(upgrade()).refused() // and no HTTP server is troubled
			r.closed.Store(false)
			r.stop()
			late.end()
		})
	}
}

// Who waits in the line is not closed by a door that is slow to call, and is told
// if it takes too long.
func TestALineThatDoesNotMove(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			r, clock := newPacedRig(t, w, 0.01, false)
			r.d.gate.sockets.AllowN(clock.now(), 1)
			c := r.dial()
			c.send(upgrade(), 1000)
			r.waits(1)
			clock.advance(lineTime)
			c.refused()
			r.expect(map[Result]int{Refused: 1})
			r.settled()
		})
	}
}

// What comes much too fast is closed before it has said anything.
func TestConnectionsAreShed(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			r, clock := newPacedRig(t, w, 4, true)
			share := acceptShare
			if w.tls {
				share = tlsAcceptShare
			}
			for range share * 4 {
				c := r.dial()
				c.send(request("GET /v1/ping HTTP/1.1", "Connection: close"), 1000)
				c.status("200")
			}
			for range 3 {
				r.dialRaw().end()
			}
			r.expect(map[Result]int{Shed: 3})
			clock.advance(time.Second / time.Duration(4*share))
			c := r.dial()
			c.send(upgrade(), 1000)
			c.status("101")
			r.dialRaw().end()
			r.expect(map[Result]int{Shed: 4, Taken: 1})
		})
	}
}

// A visitor that talks on while it waits fills no memory.
func TestWhoTalksWhileWaiting(t *testing.T) {
	for _, w := range ways() {
		if w.tls || !strings.Contains(w.name, "loop") {
			continue // nobody listens to them
		}
		t.Run(w.name, func(t *testing.T) {
			r, clock := newPacedRig(t, w, 1, false)
			r.d.gate.sockets.AllowN(clock.now(), 1)
			c := r.dial()
			c.send(upgrade(), 1000)
			r.waits(1)
			_, _ = io.WriteString(c, strings.Repeat("x", 3*maxHead))
			c.end()
			r.expect(map[Result]int{Busy: 1})
			r.waits(0)
		})
	}
}

// In virtual time: a storm of 1,000 at a rate of 100 comes in at that rate, each
// in its turn or told to come again, and comes again as told.
func TestAStormComesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		r := &rig{t: t, sink: transport.NewPortable(transport.Config{}), results: map[Result]int{}}
		cfg := r.config(func(cfg *Config) { cfg.Rate = 100 })
		r.d = New(cfg)
		r.run(ln)
		defer r.stop()
		const clients = 1000
		begun := time.Now()
		var in, told, shed atomic.Int64
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for {
					after, ok := knock(ln)
					switch {
					case ok:
						in.Add(1)
						return
					case after > 0:
						told.Add(1)
					default:
						shed.Add(1)
						after = rand.N(4 * time.Second) // as SDKs do
					}
					time.Sleep(after)
				}
			})
		}
		all.Wait()
		took := time.Since(begun)
		// 100 at once, 100 a second: 9 s at best.
		if least, most := 9*time.Second, 30*time.Second; took < least || took > most {
			t.Errorf("1,000 clients at 100/s took %s, want %s to %s", took, least, most)
		}
		if in.Load() != clients || told.Load() == 0 || shed.Load() == 0 {
			t.Errorf("%d are in; %d were told when to come again, and %d were shed", in.Load(), told.Load(), shed.Load())
		}
		t.Logf("%d are in after %s; %d times one was told when to come again, %d times closed", in.Load(), took, told.Load(), shed.Load())
	})
}

// knock asks for a socket; after is when to come again, 0 = nothing was said.
func knock(ln *pipes) (after time.Duration, in bool) {
	c := ln.dial()
	defer func() { _ = c.Close() }()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, upgrade())
	}()
	defer func() { <-sent }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, false
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return 0, true
	}
	_ = res.Body.Close()
	s, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return time.Duration(s) * time.Second, false
}
