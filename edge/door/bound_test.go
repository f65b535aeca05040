package door

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// An edge that is full closes at accept, but for the reserve, in which clients
// are told.
func TestAFullEdge(t *testing.T) {
	const limit = 3
	var sockets atomic.Int64
	var log bytes.Buffer
	everyWay(t, func(cfg *Config) {
		sockets.Store(limit - 1)
		log.Reset()
		cfg.Limit, cfg.Sockets = limit, func() int { return int(sockets.Load()) }
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}, func(t *testing.T, r *rig) {
		r.dial().send(upgrade(), 100)
		r.expect(map[Result]int{Taken: 1})
		sockets.Store(limit + Reserve - 1)
		r.closed.Store(true)
		last := r.dial() // the last that is let in
		last.send(upgrade(), 100)
		last.status("503")
		for range 2 {
			r.dialRaw().end()
		}
		r.expect(map[Result]int{Taken: 1, Full: 2})
		_ = last.Close()
		r.settled()
		again := r.dial()
		again.send(request("GET /healthz HTTP/1.1"), 100)
		again.status("200")
		r.stop()
		if got := strings.Count(log.String(), "level=WARN"); got != 1 {
			t.Errorf("%d warnings, want one a minute:\n%s", got, log.String())
		}
	})
}

func TestTooManyHandshakes(t *testing.T) {
	everyWay(t, func(cfg *Config) { cfg.MaxHandshakes = 2 }, func(_ *testing.T, r *rig) {
		a, b := r.dialRaw(), r.dialRaw()
		r.pending(2)
		r.dialRaw().end()
		r.expect(map[Result]int{Busy: 1})
		_, _ = a.Close(), b.Close()
		r.pending(0)
		c := r.dial()
		c.send(upgrade(), 100)
		c.status("101")
		r.expect(map[Result]int{Busy: 1, Taken: 1})
	})
}

// dialRaw connects, and doesn't begin TLS.
func (r *rig) dialRaw() *caller {
	r.t.Helper()
	w := r.way
	defer func() { r.way = w }()
	r.way.tls = false
	return r.dial()
}

// pending waits until so many handshakes are.
func (r *rig) pending(want int) {
	r.t.Helper()
	r.becomes("pending handshakes", r.d.Handshakes, want)
}

// Whoever sends a byte now and then is closed when the time is over, not when
// the last byte is old; one that is quick isn't.
func TestSlowClientsOnGoroutines(t *testing.T) {
	for _, w := range ways() {
		if strings.Contains(w.name, "loop") {
			continue // by the clock of the door: the next test
		}
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipes()
				r := newPipeRig(t, w, ln)
				begun := time.Now()
				slow := ln.dial()
				var drips sync.WaitGroup
				defer drips.Wait()
				drips.Go(func() {
					text := upgrade()
					if w.tls {
						text = "\x16\x03\x01\x02\x00" + text // the beginning of a long record
					}
					for _, b := range []byte(text) {
						if _, err := slow.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				})
				mute := ln.dial()
				for _, c := range []net.Conn{slow, mute} {
					n, err := c.Read(make([]byte, 1))
					if w.tls && n == 1 {
						_, err = c.Read(make([]byte, 100)) // an alert, and then the end
					}
					for err == nil {
						_, err = c.Read(make([]byte, 100))
					}
					if took := time.Since(begun); took != Timeout {
						t.Errorf("closed after %s, want %s", took, Timeout)
					}
					_ = c.Close()
				}
				synctest.Wait()
				r.stop()
				r.expect(map[Result]int{TimedOut: 2})
			})
		})
	}
}

// What bounds a handshake doesn't bound what comes of it.
func TestDeadlinesEndWithTheHandshake(t *testing.T) {
	for _, w := range ways() {
		if strings.Contains(w.name, "loop") {
			continue // where no deadline is set: the next test
		}
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipes()
				r := newPipeRig(t, w, ln)
				for _, tt := range []struct{ first, status, then, status2 string }{
					{upgrade(), "101", "frame", ""},
					{request("GET /a HTTP/1.1"), "200", request("GET /b HTTP/1.1"), "200"},
				} {
					nc := ln.dial()
					if w.tls {
						nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
					}
					c := &caller{nc, t, bufio.NewReader(nc)}
					c.send(tt.first, 1<<20)
					c.status(tt.status)
					time.Sleep(time.Hour)
					c.send(tt.then, 1<<20)
					if tt.status2 == "" {
						c.echoes(tt.then)
					} else {
						c.status(tt.status2)
					}
					_ = c.Close()
				}
				synctest.Wait()
				r.stop()
			})
		})
	}
}

func TestSlowClientsOnLoops(t *testing.T) {
	for _, w := range loopWays() {
		t.Run(w.name, func(t *testing.T) {
			var late atomic.Int64
			r := newRigWith(t, w, func(cfg *Config) { cfg.Timeout = time.Hour }, func(d *Door) {
				d.now = func() time.Time { return time.Unix(late.Load(), 0) }
			})
			slow, mute := r.dial(), r.dial()
			slow.send("GET", 1)
			r.pending(2)
			late.Store(1800)
			quick := r.dial()
			slow.send(" ", 1)
			r.pending(3)
			late.Store(3599)
			quick.send("GET", 1)
			slow.send("/", 1)
			c := r.dial() // the loop has looked at its queue since
			c.send(upgrade(), 100)
			c.status("101")
			r.expect(map[Result]int{Taken: 1})
			late.Store(3600)
			slow.end()
			mute.end()
			r.expect(map[Result]int{Taken: 1, TimedOut: 2})
			r.pending(1)
			c.send("later", 1)
			c.echoes("later")
			late.Store(5400)
			quick.end()
			r.expect(map[Result]int{Taken: 1, TimedOut: 3})
		})
	}
}

// Many unfinished heads can't fill the memory.
func TestUnfinishedHeadsAreBounded(t *testing.T) {
	for _, w := range loopWays() {
		if w.name != "loop" {
			continue
		}
		r := newRigWith(t, w, nil, func(d *Door) { d.most = 10_000 })
		first := r.dial()
		first.send("GET /"+strings.Repeat("x", 6000), 1<<20)
		second := r.dial()
		second.send("GET /"+strings.Repeat("x", 6000), 1<<20)
		second.end()
		r.expect(map[Result]int{Busy: 1})
		first.send(strings.Repeat("x", 3000)+" HTTP/1.1\r\nHost: a\r\n\r\n", 1<<20)
		first.status("200")
		c := r.dial()
		c.send("GET /"+strings.Repeat("x", 6000)+" HTTP/1.1\r\nHost: a\r\n\r\n", 1000)
		c.status("200")
	}
}

// A door that closes closes who is in it, and waits for them.
func TestTheDoorCloses(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		pending, half := r.dialRaw(), r.dialRaw()
		half.send("GET", 1)
		page := r.dial()
		page.send(request("GET /page HTTP/1.1"), 100)
		page.status("200")
		r.pending(2)
		r.stop()
		pending.end()
		half.end()
		page.end()
		if nc, err := net.Dial("tcp", r.addr); err == nil {
			_ = nc.Close()
			t.Error("the address is still listened on")
		}
		r.settled()
		r.mu.Lock()
		defer r.mu.Unlock()
		for result, n := range r.results {
			if result != Failed || n > 1 {
				t.Errorf("%d times %s", n, result)
			}
		}
	})
}

// Of a socket that was handed on, the door keeps nothing.
func TestNothingIsLeftBehind(t *testing.T) {
	head := upgrade("Pragma: no-cache") // no usual one: a parser's own request stays
	var mu sync.Mutex
	var left []func() bool
	watch := func(a *Arrival) {
		request, arrival := weak.Make(a.Request), weak.Make(a)
		left = append(left, func() bool { return request.Value() != nil || arrival.Value() != nil })
		if a.conn != nil {
			conn, v := weak.Make(a.conn), weak.Make(a.conn.Data.(*visitor))
			left = append(left, func() bool { return conn.Value() != nil || v.Value() != nil })
		}
	}
	everyWay(t, func(cfg *Config) {
		left = nil
		take := cfg.Take
		cfg.Take = func(a *Arrival) error {
			mu.Lock()
			defer mu.Unlock()
			watch(a)
			return take(a)
		}
	}, func(t *testing.T, r *rig) {
		for range 20 {
			c := r.dial()
			for _, part := range []string{head[:40], head[40:] + "frame"} {
				c.send(part, 1<<20)
			}
			c.status("101")
			c.echoes("frame")
		}
		r.expect(map[Result]int{Taken: 20})
		mu.Lock()
		defer mu.Unlock()
		kept := len(left)
		for end := time.Now().Add(patience); kept > 0 && time.Now().Before(end); {
			runtime.GC()
			kept = 0
			for _, is := range left {
				if is() {
					kept++
				}
			}
		}
		if kept > 0 {
			t.Errorf("%d of %d things are kept", kept, len(left))
		}
	})
}

func TestTheQueueKeepsOrder(t *testing.T) {
	var q queue
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var vs []*visitor
	for i := range int64(4) {
		vs = append(vs, &visitor{deadline: at(i)})
		q.push(vs[i])
	}
	q.remove(vs[1])
	q.remove(vs[3])
	if q.late(at(-1)) != nil {
		t.Error("somebody is late too early")
	}
	if v := q.late(at(5)); v != vs[0] {
		t.Error("the first is not the first")
	}
	q.remove(vs[0])
	if v := q.late(at(1)); v != nil {
		t.Error("the third is late too early")
	}
	if v := q.late(at(2)); v != vs[2] {
		t.Error("the third is not late")
	}
	q.remove(vs[2])
	if q != (queue{}) {
		t.Error("something is left")
	}
	q.push(vs[3])
	if q.late(at(3)) != vs[3] {
		t.Error("an emptied queue can't be used")
	}
}

// Loops can't end TLS, nor take from anything but TCP.
func TestLoopsTakePlainTCP(t *testing.T) {
	for _, w := range loopWays() {
		var cfg Config
		w.setup(t, &cfg)
		if err := New(cfg).Run(t.Context(), newPipes()); err == nil || !strings.Contains(err.Error(), "plain TCP") {
			t.Errorf("%s: %v", w.name, err)
		}
	}
}
