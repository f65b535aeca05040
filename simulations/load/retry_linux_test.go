package load

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// reluctant is a door to a floor that closes the first connections.
func reluctant(t *testing.T, f *Floor, closes int64) (address string) {
	t.Helper()
	u, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := u.Host
	var running sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	var left atomic.Int64
	left.Store(closes)
	running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			if left.Add(-1) >= 0 {
				_ = in.Close()
				continue
			}
			out, err := net.Dial("tcp", behind)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, in, out)
			mu.Unlock()
			running.Go(func() { _, _ = io.Copy(in, out) })
			running.Go(func() { _, _ = io.Copy(out, in) })
		}
	})
	u.Host = ln.Addr().String()
	return u.String()
}

// A socket that is not welcome tries again, if it is told to, and its time counts
// from the first try.
func TestASocketTriesAgain(t *testing.T) {
	const sockets, closes = 10, 20
	c, f := testLoad(t, 1, "0")
	g := Group{Name: "patient", User: "p", Sockets: sockets, InFlight: sockets, Retries: closes, URLs: []string{reluctant(t, f, closes)}}
	if err := c.Sign(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	done, err := c.Connect(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Stats(t.Context(), g.Name)
	if err != nil || s.Retried != closes || s.Open != sockets || s.Fault() != "" {
		t.Errorf("%+v (%v)", s, err)
	}
	slow := 0
	for _, took := range done.Times {
		if took >= firstPause/2 {
			slow++
		}
	}
	if slow == 0 {
		t.Errorf("none of the times has a pause in it: %v", done.Times)
	}
	g.Name, g.Retries, g.URLs = "impatient", 1, []string{reluctant(t, f, 1000)}
	if err := c.Sign(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(t.Context(), g); err == nil || !strings.Contains(err.Error(), "not welcome") {
		t.Errorf("whom nobody lets in: %v", err)
	}
}
