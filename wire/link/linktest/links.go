package linktest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// patience bounds every wait; none comes near it.
const patience = 20 * time.Second

// serve feeds a source over loopback until the test ends.
func serve(t *testing.T, src link.Source) net.Addr {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.DevNode(identity.RoleCore, "core")
	if err != nil {
		t.Fatal(err)
	}
	srv, err := link.Listen(udp, link.ServerConfig{TLS: id.ServerTLS(), Source: src})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = udp.Close()
	})
	return udp.LocalAddr()
}

// reader follows logs over any number of links, one of which has a log at a time.
type reader struct {
	t *testing.T

	mu     sync.Mutex
	got    map[wire.LogID][]wire.Seq // guarded by mu
	pos    map[wire.LogID]wire.Seq   // guarded by mu
	at     map[wire.LogID]*readerLink
	marked uint64
	behind wire.Seq      // guarded by mu
	news   chan struct{} // guarded by mu; closed when something came, then new
}

func newReader(t *testing.T) *reader {
	return &reader{t: t, got: map[wire.LogID][]wire.Seq{}, pos: map[wire.LogID]wire.Seq{}, at: map[wire.LogID]*readerLink{}, news: make(chan struct{})}
}

// readerLink is one link of a reader. It implements link.Receiver.
type readerLink struct {
	*link.Link
	r *reader
}

// dial links the reader; the link ends with the test.
func (r *reader) dial(addr net.Addr) *readerLink {
	r.t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := identity.DevNode(identity.RoleEdge, "reader")
	if err != nil {
		r.t.Fatal(err)
	}
	tr := link.NewTransport(udp)
	l := &readerLink{r: r}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if l.Link, err = link.Dial(ctx, tr, addr, link.DialConfig{TLS: id.ClientTLS(), Node: "reader", Peer: "core", Receiver: l}); err != nil {
		r.t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(run) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		_ = tr.Close()
		_ = udp.Close()
	})
	return l
}

// open follows log p over l from where the reader stands.
func (l *readerLink) open(p wire.LogID, id uint64, keys []wire.Key) {
	l.r.t.Helper()
	l.r.mu.Lock()
	pos := l.r.pos[p]
	l.r.at[p] = l
	l.r.mu.Unlock()
	if err := l.Open(l.r.t.Context(), p, pos, id, keys); err != nil {
		l.r.t.Fatal(err)
	}
}

// close ends log p on l; with drain, what was sent is received before.
func (l *readerLink) close(p wire.LogID, drain bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !drain {
		cancel()
	}
	l.CloseLog(ctx, p)
	l.r.mu.Lock()
	l.r.at[p] = nil
	l.r.mu.Unlock()
}

func (l *readerLink) take(p wire.LogID, fn func(r *reader)) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.r.at[p] != l {
		l.r.t.Errorf("something of log %d came over a link where it is closed", p)
	}
	fn(l.r)
	close(l.r.news)
	l.r.news = make(chan struct{})
}

// Records implements link.Receiver.
func (l *readerLink) Records(p wire.LogID, records []tail.Record) {
	l.take(p, func(r *reader) {
		for _, rec := range records {
			if rec.Kind != tail.Frame {
				continue
			}
			f, err := wire.ParseFrame(rec.Bytes)
			if err != nil {
				r.t.Errorf("a frame that can't be read: %v", err)
				continue
			}
			r.got[p] = append(r.got[p], f.Seq)
			r.pos[p] = f.Seq
		}
	})
}

// Marker implements link.Receiver.
func (l *readerLink) Marker(p wire.LogID, m link.Marker) {
	l.take(p, func(r *reader) { r.marked = m.ID })
}

// Gap implements link.Receiver.
func (l *readerLink) Gap(p wire.LogID, floor wire.Seq, _ []wire.Key) {
	l.r.t.Errorf("log %d has a gap up to %d", p, floor)
}

// Behind implements link.Receiver.
func (l *readerLink) Behind(p wire.LogID, end wire.Seq) {
	l.take(p, func(r *reader) { r.behind = end })
}

// Elsewhere implements link.Receiver.
func (l *readerLink) Elsewhere(p wire.LogID) { l.r.t.Errorf("log %d is elsewhere", p) }

// Signal implements link.Receiver.
func (l *readerLink) Signal(*wire.Signal) {}

// until waits for what came to be enough.
func (r *reader) until(what string, enough func(r *reader) bool) {
	r.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		r.mu.Lock()
		ok, news := enough(r), r.news
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-end.C:
			r.t.Fatalf("never: %s", what)
		}
	}
}

// hop opens and closes the busiest log at one link after the other, while frames
// are published, and checks that each came once and in order.
func (h *history) hop(t *testing.T, r *reader, links ...*readerLink) {
	p, keys := wire.LogID(0), []wire.Key(nil)
	for _, ch := range h.channels {
		if wire.LogOf(ch, h.Source.Logs()) == p {
			keys = append(keys, wire.FramesKey(ch))
		}
	}
	var want []wire.Seq
	for _, f := range h.logs[p] {
		want = append(want, f.Seq)
	}
	publish := func() {
		for _, ch := range h.channels {
			if at, seq := h.Publish(ch); at == p {
				want = append(want, seq)
			}
		}
	}
	const hops = 12
	for i := range uint64(hops) {
		l := links[int(i)%len(links)]
		l.open(p, 2*i+1, keys)
		published := make(chan struct{})
		go func() {
			defer close(published)
			publish()
		}()
		if i%3 == 0 { // its interests are those of its own stream
			if err := l.Interest(t.Context(), p, 2*i+2, keys[:1], nil, link.Live); err != nil {
				t.Fatal(err)
			}
			r.until("the marker of a log that was opened again", func(r *reader) bool { return r.marked == 2*i+2 })
		}
		if i%4 != 3 {
			r.until("something of a log that was opened again", func(r *reader) bool { return len(r.got[p]) > int(i) })
		}
		l.close(p, i%2 == 0)
		<-published
	}
	links[0].open(p, 2*hops+1, keys)
	r.until("all that was published", func(r *reader) bool { return r.pos[p] == want[len(want)-1] })
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.got[p]); diff != "" {
		t.Errorf("(-published +received):\n%s", diff)
	}
}

func checkReopen(t *testing.T, h *history) {
	r := newReader(t)
	h.hop(t, r, r.dial(serve(t, h.Source)))
}

func checkMove(t *testing.T, h *history) {
	r := newReader(t)
	h.hop(t, r, r.dial(serve(t, h.Source)), r.dial(serve(t, h.Source)))
}

// checkBehind asks for a log from beyond its end, and then from where it is.
func checkBehind(t *testing.T, h *history) {
	r := newReader(t)
	l := r.dial(serve(t, h.Source))
	end := h.Source.Tail(0).End()
	r.pos[0] = end + 1
	l.open(0, 0, nil)
	r.until("that the log is behind", func(r *reader) bool { return r.behind == end })
	l.close(0, true)
	r.pos[0] = end
	l.open(0, 1, []wire.Key{wire.FramesKey(h.channels[0])})
	if err := l.Interest(t.Context(), 0, 2, nil, nil, link.Live); err != nil {
		t.Fatal(err)
	}
	r.until("the marker", func(r *reader) bool { return r.marked == 2 })
}
