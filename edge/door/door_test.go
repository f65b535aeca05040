package door

import (
	"net/http"
	"strings"
	"testing"

	"selvedge/edge/websocket"
)

// everyWay runs a test for each way in.
func everyWay(t *testing.T, change func(*Config), fn func(t *testing.T, r *rig)) {
	t.Helper()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			r := newRig(t, w, change)
			fn(t, r)
		})
	}
}

// What a client sends comes to the same, whichever the way in is and however it
// is cut.
func TestWhatClientsSend(t *testing.T) {
	long := strings.Repeat("x", 12<<10)
	tests := []struct {
		name    string
		send    string
		answers []string // statuses, in order
		echo    string   // what the socket gives back
		ends    bool     // the connection is closed after that
		taken   int      // sockets that the door took itself
		fails   bool     // is counted as failed
	}{
		{name: "socket", send: upgrade(), answers: []string{"101"}, taken: 1},
		{name: "early frames", send: upgrade() + "frame", answers: []string{"101"}, echo: "frame", taken: 1},
		{name: "many early frames", send: upgrade() + long + long, answers: []string{"101"}, echo: long + long, taken: 1},
		{name: "a long head", send: upgrade("X-Long: "+long) + "frame", answers: []string{"101"}, echo: "frame", taken: 1},
		{name: "bare line feeds", send: strings.ReplaceAll(upgrade(), "\r", "") + "frame", answers: []string{"101"}, echo: "frame", taken: 1},
		{name: "a query", send: strings.Replace(upgrade(), "socket", "socket?v=1", 1), answers: []string{"101"}, taken: 1},
		{name: "a page", send: request("GET /page HTTP/1.1"), answers: []string{"200"}},
		{name: "a body", send: request("POST /page HTTP/1.1", "Content-Length: 5") + "12345", answers: []string{"200"}},
		{name: "two pages at once", send: request("GET /a HTTP/1.1") + request("GET /b HTTP/1.1"), answers: []string{"200", "200"}},
		{name: "a page, then a socket", send: request("GET /a HTTP/1.1") + upgrade() + "frame", answers: []string{"200", "101"}, echo: "frame"},
		{name: "a page, then a socket and much", send: request("GET /a HTTP/1.1") + upgrade() + long, answers: []string{"200", "101"}, echo: long},
		{name: "the last page", send: request("GET /a HTTP/1.1", "Connection: close"), answers: []string{"200"}, ends: true},
		{name: "no upgrade", send: request("GET /v1/socket HTTP/1.1"), answers: []string{"426"}},
		{name: "an old version", send: strings.Replace(upgrade(), "13", "8", 1), answers: []string{"426"}},
		{name: "a foreign origin", send: upgrade("Origin: http://other.test"), answers: []string{"403"}},
		{name: "no subprotocol of ours", send: upgrade("Sec-WebSocket-Protocol: chat"), answers: []string{"400"}},
		{name: "a socket by POST", send: strings.Replace(upgrade(), "GET", "POST", 1), answers: []string{"200"}},
		{name: "a path below", send: strings.Replace(upgrade(), "socket", "socket/x", 1), answers: []string{"200"}},
		{name: "a path like it", send: strings.Replace(upgrade(), "socket", "sockets", 1), answers: []string{"200"}},
		{name: "an encoded path", send: strings.Replace(upgrade(), "/v1/", "/v1%2f", 1), answers: []string{"200"}},
		{name: "no host", send: strings.Replace(upgrade(), "Host: edge.test\r\n", "", 1), answers: []string{"400"}, ends: true},
		{name: "two hosts", send: upgrade("Host: b"), answers: []string{"400"}, ends: true},
		{name: "HTTP/1.0", send: strings.Replace(upgrade(), "HTTP/1.1", "HTTP/1.0", 1), answers: []string{"400"}},
		{name: "a field name with a space", send: upgrade("X Y: z"), answers: []string{"400"}, ends: true},
		{name: "a socket with a body", send: upgrade("Content-Length: 5") + "12345", answers: []string{"101"}, echo: "12345"},
		{name: "an expectation", send: upgrade("Expect: cake"), answers: []string{"417"}},
		{name: "an endless head", send: upgrade("X-Long: " + long + long), answers: []string{"431"}, ends: true},
		{name: "a head without an end", send: strings.TrimSuffix(upgrade("X-Long: "+long+long), "\r\n\r\n"), answers: []string{"431"}, ends: true},
		{name: "a target with a host", send: strings.Replace(upgrade(), "/v1", "http://edge.test/v1", 1), answers: []string{"101"}},
		{name: "garbage", send: "\x16\x03\x01\x02\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "an empty line", send: "\r\n", answers: []string{"400"}, ends: true},
		{name: "a PROXY header that is not expected", send: string(proxyTCP4) + upgrade(), answers: []string{"400"}, ends: true},
		{name: "gone in the middle", send: upgrade()[:50], fails: true},
		{name: "gone without a word"},
	}
	everyWay(t, nil, func(t *testing.T, r *rig) {
		taken, failed := 0, 0
		for _, tt := range tests {
			for _, cut := range []int{1 << 20, 1, 700} {
				if cut == 1 && len(tt.send) > 1<<10 {
					continue // the kernel would put most of it together again
				}
				before := r.taken.Load()
				c := r.dial()
				if tt.ends {
					go func() { _, _ = c.Write([]byte(tt.send)) }() // the end may come before it is all sent
				} else {
					c.send(tt.send, cut)
				}
				for _, status := range tt.answers {
					c.status(status)
				}
				c.echoes(tt.echo)
				if len(tt.answers) > 0 && tt.answers[len(tt.answers)-1] == "101" {
					c.send("later", 1)
					c.echoes("later")
				}
				if tt.ends {
					c.end()
				}
				_ = c.Close()
				taken += tt.taken
				if tt.fails {
					failed++
				}
				if got := int(r.taken.Load() - before); got != tt.taken {
					t.Errorf("%s: the door took %d sockets, want %d", tt.name, got, tt.taken)
				}
				if t.Failed() {
					t.Fatalf("%s, cut to %d", tt.name, cut)
				}
			}
		}
		r.settled()
		r.expect(map[Result]int{Taken: taken, Failed: failed})
	})
}

// Nobody gets what another has sent ahead.
func TestEarlyBytesAreTheirOwn(t *testing.T) {
	everyWay(t, nil, func(_ *testing.T, r *rig) {
		var callers []*caller
		for i := range 50 {
			c := r.dial()
			c.send(upgrade()+strings.Repeat(string(rune('0'+i)), 1000), 1<<20)
			page := r.dial()
			page.send(request("GET /"+strings.Repeat(string(rune('A'+i%26)), 1000)+" HTTP/1.1"), 1<<20)
			callers = append(callers, c, page)
		}
		for i, c := range callers {
			if i%2 == 0 {
				c.status("101")
				c.echoes(strings.Repeat(string(rune('0'+i/2)), 1000))
			} else if want := "GET /" + strings.Repeat(string(rune('A'+i/2%26)), 1000) + " "; !strings.HasPrefix(c.status("200"), want) {
				r.t.Errorf("the HTTP server read another's request, want %.10s", want)
			}
		}
	})
}

func TestWhereNoSocketsAreTakenPagesAre(t *testing.T) {
	everyWay(t, nil, func(_ *testing.T, r *rig) {
		r.closed.Store(true)
		c := r.dial()
		c.send(upgrade(), 100)
		c.status("503")
		r.closed.Store(false)
		c.send(upgrade()+"frame", 100)
		c.status("101")
		c.echoes("frame")
		r.expect(map[Result]int{})
		r.settled()
	})
}

// The HTTP server sees the client's address.
func TestAddresses(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send(request("GET /page HTTP/1.1"), 100)
		if got, want := c.status("200"), "GET /page "+c.LocalAddr().String()+" 0"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		c = r.dial()
		c.send(upgrade()+"frame", 100)
		c.status("101")
		c.echoes("frame")
		r.mu.Lock()
		defer r.mu.Unlock()
		if got := strings.Join(r.clients, " "); got != c.LocalAddr().String() {
			t.Errorf("the socket's client is %s, want %s", got, c.LocalAddr())
		}
	})
}

// An engine that takes nobody leaves nothing behind.
func TestABrokenEngine(t *testing.T) {
	everyWay(t, nil, func(_ *testing.T, r *rig) {
		c := r.dial()
		c.send(upgrade("X-Break: 1"), 100)
		c.status("101")
		c.end()
		r.settled()
		r.expect(map[Result]int{Failed: 1})
	})
}

func TestADoorNeedsWhatItNeeds(t *testing.T) {
	d := New(Config{Check: websocket.Upgrader{}.Check, HTTP: &http.Server{}})
	if d.cfg.Timeout != Timeout || d.cfg.MaxHandshakes != MaxGoroutines || !d.cfg.Open() || d.cfg.Sockets() != 0 || d.cfg.Logger == nil {
		t.Errorf("defaults: %+v", d.cfg)
	}
}
