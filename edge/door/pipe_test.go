package door

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/transport"
)

// pipes is a listener of a simulated network.
type pipes struct {
	conns chan net.Conn
	errs  chan error
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), errs: make(chan error), done: make(chan struct{})}
}

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case err := <-p.errs:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// newPipeRig is a rig on a simulated network.
func newPipeRig(t *testing.T, w way, ln *pipes) *rig {
	t.Helper()
	r := &rig{t: t, way: w, sink: transport.NewPortable(transport.Config{}), results: map[Result]int{}}
	r.d = New(r.config(nil))
	r.run(ln)
	return r
}

// What accept fails with may pass: the door waits, longer each time, and goes on.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		r := newPipeRig(t, way{setup: func(testing.TB, *Config) {}}, ln)
		defer r.stop()
		begun := time.Now()
		for range 10 {
			ln.errs <- errors.New("too many open files")
		}
		c := ln.dial() // 5+10+20+40+80+160+320+640+1000+1000 ms
		if took := time.Since(begun); took != 3275*time.Millisecond {
			t.Errorf("ten failures took %s", took)
		}
		go func() { _, _ = c.Write([]byte(upgrade())) }()
		b := make([]byte, 512)
		n, err := c.Read(b)
		if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 101 ") {
			t.Errorf("%q, %v", b[:n], err)
		}
		_ = c.Close()
		// A second's success makes the next pause short again.
		begun = time.Now()
		ln.errs <- errors.New("too many open files")
		_ = ln.dial().Close()
		if took := time.Since(begun); took != 5*time.Millisecond {
			t.Errorf("the next failure took %s", took)
		}
	})
}

// A listener that is closed by somebody else ends the door.
func TestAListenerThatIsGone(t *testing.T) {
	ln := newPipes()
	_ = ln.Close()
	r := &rig{t: t, sink: newSink(t)}
	if err := New(r.config(nil)).Run(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}

// What the HTTP server does not take is closed.
func TestAnHTTPServerThatIsGone(t *testing.T) {
	p := newPages()
	one, other := net.Pipe()
	for range maxWaiting {
		if !p.give(one, []byte("x"), addrPort(nil)) {
			t.Fatal("a free queue is full")
		}
	}
	if p.give(other, nil, addrPort(nil)) {
		t.Error("a full queue takes one more")
	}
	if _, err := other.Write([]byte("x")); err == nil {
		t.Error("it is still open")
	}
	_ = p.Close()
	if _, err := p.Accept(); p.held.Load() == 0 && err == nil {
		t.Error("a closed listener accepts")
	}
	if p.give(one, nil, addrPort(nil)) || p.held.Load() != 0 {
		t.Errorf("after the end %d are held", p.held.Load())
	}
}
