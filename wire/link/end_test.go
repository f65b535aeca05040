package link_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
)

// A server that stops says goodbye: nobody waits for a timeout to notice.
func TestServerThatStopsSaysGoodbye(t *testing.T) {
	s := serve(t, memory(), udp(t))
	var links []*downstream
	for range 30 { // the order of things that happen at once
		links = append(links, dial(t, s, "e"))
	}
	s.stop()
	began := time.Now()
	for _, d := range links {
		if err := d.wait(); err != nil {
			t.Errorf("a link ended with %v", err)
		}
		if !d.Left() {
			t.Error("a downstream does not know that the server has left")
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the downstreams noticed after %v", took)
	}
}

func TestDownstreamThatStopsSaysGoodbye(t *testing.T) {
	s := serve(t, memory(), udp(t))
	d := dial(t, s, "e")
	d.open(0, 0)
	eventually(t, "the peer is listed", func() bool { return len(s.Peers()) == 1 })
	d.stop()
	if d.err != nil || d.Left() {
		t.Errorf("Run returned %v after its context ended; the server has left: %t", d.err, d.Left())
	}
	if err := receive(t, "the server's word", s.down); err != nil {
		t.Errorf("the server reports %v", err)
	}
	if n := len(s.Peers()); n != 0 {
		t.Errorf("%d peers are left", n)
	}
	if _, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom}); err == nil {
		t.Error("a query over an ended link has an answer")
	}
	if err := d.Interest(t.Context(), 0, 1, nil, nil, 0); err == nil {
		t.Error("an interest over an ended link was sent")
	}
}

func TestResetEndsEveryLink(t *testing.T) {
	s := serve(t, memory(), udp(t))
	a, b := dial(t, s, "a"), dial(t, s, "b")
	eventually(t, "both are listed", func() bool { return len(s.Peers()) == 2 })
	s.Reset("epoch")
	if err := errors.Join(a.wait(), b.wait()); err != nil {
		t.Errorf("the links ended with %v", err)
	}
	if a.Left() || b.Left() {
		t.Error("a server that resets its links is said to have left")
	}
}

// epochSource calls back as a welcome is put together.
type epochSource struct {
	link.Source
	asked func()
}

func (s *epochSource) Epoch() string {
	defer s.asked()
	return s.Source.Epoch()
}

// Nor does a link outlive a reset that was shaking hands, with the epoch of
// before in its welcome.
func TestResetEndsALinkThatShakesHands(t *testing.T) {
	src := &epochSource{Source: memory(), asked: func() {}}
	s := serve(t, src, udp(t))
	src.asked = sync.OnceFunc(func() { s.Reset("epoch") })
	d, err := dialer{pc: udp(t), name: "a"}.dial(t, s.addr)
	if err != nil {
		return // the reset came before the welcome
	}
	if err := d.wait(); err != nil {
		t.Errorf("the link ended with %v", err)
	}
}

// A downstream that does not wait for its markers is not served without bound.
func TestTooManyPendingDeltasCloseTheLink(t *testing.T) {
	src := memory()
	d, err := dialer{pc: udp(t), name: "e", room: 1}.dial(t, serve(t, src, udp(t)).addr)
	if err != nil {
		t.Fatal(err)
	}
	ch := channels(0, 1)[0]
	for range 60 { // the feed is stuck: its receiver takes nothing
		src.Publish(ch, 60_000)
	}
	d.open(0, 0, keysOf(ch)...)
	for id := uint64(1); id < 100; id++ {
		if err := d.Interest(t.Context(), 0, id, nil, nil, link.Live); err != nil {
			break
		}
	}
	go func() { // let go
		for {
			select {
			case <-d.logs[0]:
			case <-d.ended:
				return
			}
		}
	}()
	if err := d.wait(); err == nil || !strings.Contains(err.Error(), "interest deltas pending on log 0") {
		t.Errorf("the link ended with %v, want to be told why", err)
	}
}

// upstream is a server that says hello, and then what it is told to.
func upstream(t *testing.T, welcome map[string]any, then func(*quic.Conn)) net.Addr {
	t.Helper()
	return upstreamOf(t, node(t, identity.RoleCore, "core"), welcome, then)
}

func upstreamOf(t *testing.T, id *identity.NodeIdentity, welcome map[string]any, then func(*quic.Conn)) net.Addr {
	t.Helper()
	c := id.ServerTLS()
	c.NextProtos = []string{link.ALPN}
	pc := udp(t)
	tr := &quic.Transport{Conn: pc}
	ln, err := tr.Listen(c, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	hello := message(t, welcome)
	go func() {
		defer close(done)
		conn, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		st, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		_, _ = st.Write(hello)
		if then != nil {
			then(conn)
		}
		<-conn.Context().Done()
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
		_ = tr.Close()
		_ = pc.Close()
	})
	return ln.Addr()
}

func stream(conn *quic.Conn, b ...byte) {
	if st, err := conn.OpenUniStream(); err == nil {
		_, _ = st.Write(b)
	}
}

func TestBadWelcome(t *testing.T) {
	for name, welcome := range map[string]map[string]any{
		"no logs":       {"t": "welcome", "logs": 0, "ends": []int{0}},
		"too many logs": {"t": "welcome", "logs": 257, "ends": make([]int, 258)},
		"ends missing":  {"t": "welcome", "logs": 2, "ends": []int{1, 2}},
		"no welcome":    {"t": "pong"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := upstream(t, welcome, nil)
			if _, err := (dialer{pc: udp(t), name: "e"}).dial(t, addr); !errors.Is(err, link.ErrProtocol) {
				t.Errorf("dial: %v, want %v", err, link.ErrProtocol)
			}
		})
	}
}

func TestMalformedStreamsEndTheLink(t *testing.T) {
	for name, misbehave := range map[string]func(*quic.Conn){
		"a log out of range":        func(c *quic.Conn) { stream(c, 2, 1) },
		"a log beyond 16 bits":      func(c *quic.Conn) { stream(c, 0xff, 0xff, 0x07, 1) },
		"a log that is not open":    func(c *quic.Conn) { stream(c, 1, 1) },
		"a stream not asked for":    func(c *quic.Conn) { stream(c, 0, 2) },
		"an empty record":           func(c *quic.Conn) { stream(c, 0, 1, 0) },
		"a giant record":            func(c *quic.Conn) { stream(c, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x7f) },
		"a record of unknown kind":  func(c *quic.Conn) { stream(c, 0, 1, 2, 9, 9) },
		"a watermark that is cut":   func(c *quic.Conn) { stream(c, 0, 1, 1, 3) },
		"a gap that is cut":         func(c *quic.Conn) { stream(c, 0, 1, 2, 5, 0x80) },
		"a behind that is cut":      func(c *quic.Conn) { stream(c, 0, 1, 2, 6, 0x80) },
		"a marker of odd size":      func(c *quic.Conn) { stream(c, 0, 1, 4, 4, 1, 1, 1) },
		"a log in two streams":      func(c *quic.Conn) { stream(c, 0, 1, 3, 3, 0, 0); stream(c, 0, 1, 3, 3, 0, 0) },
		"a stream that is given up": func(c *quic.Conn) { st, _ := c.OpenUniStream(); _, _ = st.Write([]byte{0, 1}); st.CancelWrite(0) },
		"a stream that just ends":   func(c *quic.Conn) { st, _ := c.OpenUniStream(); _, _ = st.Write([]byte{0, 1}); _ = st.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			opened := make(chan struct{})
			addr := upstream(t, map[string]any{"t": "welcome", "epoch": "e", "logs": 2, "ends": []int{0, 0, 0}}, func(c *quic.Conn) {
				<-opened
				misbehave(c)
			})
			d, err := dialer{pc: udp(t), name: "e"}.dial(t, addr)
			if err != nil {
				t.Fatal(err)
			}
			d.open(0, 0)
			close(opened)
			if err := d.wait(); err == nil {
				t.Error("the link ended in good order")
			}
		})
	}
}
