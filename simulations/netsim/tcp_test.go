package netsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/netsim"
)

// pair is a connection from host 1 to host 2, and what is left open is closed.
func pair(t *testing.T, n *netsim.Network) (client, server net.Conn) {
	t.Helper()
	l, err := n.Listen(netsim.Host(2).Addr(80))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it fails only when it is closed
	client, err = n.Dial(t.Context(), 1, "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// text is some bytes, the same each time.
func text(size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestHandshakeTakesARoundTrip(t *testing.T) {
	bubble(t, netsim.Path{Delay: 40 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		client, server := pair(t, n)
		if n.Since() != 120*time.Millisecond { // the third packet is what is accepted
			t.Errorf("accepted after %v", n.Since())
		}
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 10)
		if k, err := server.Read(b); err != nil || string(b[:k]) != "hello" || n.Since() != 160*time.Millisecond {
			t.Errorf("after %v: %q, %v", n.Since(), b[:k], err)
		}
		if client.LocalAddr().String() != server.RemoteAddr().String() || server.LocalAddr().String() != "10.0.0.2:80" {
			t.Error("the ends disagree about their addresses")
		}
	})
}

// Whatever the path does, the stream arrives whole, both ways at once, and both
// ends see its end.
func TestStreamIsWhole(t *testing.T) {
	for name, path := range map[string]netsim.Path{
		"at once": {},
		"far":     {Delay: 100 * time.Millisecond},
		"bad": {
			Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1,
			Reorder: 0.1, ReorderBy: 10 * time.Millisecond, Duplicate: 0.1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, path, func(t *testing.T, n *netsim.Network) {
				client, server := pair(t, n)
				want := text(1 << 20)
				one := func(c net.Conn, got chan []byte) {
					go func() {
						for b := range slices.Chunk(want, 10000) {
							if _, err := c.Write(b); err != nil {
								t.Error(err)
							}
						}
						if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
							t.Error(err)
						}
					}()
					go func() {
						b, err := io.ReadAll(c)
						if err != nil {
							t.Error(err)
						}
						got <- b
					}()
				}
				got := make(chan []byte)
				one(client, got)
				one(server, got)
				for range 2 {
					if !bytes.Equal(<-got, want) {
						t.Error("what came is not what was sent")
					}
				}
				if err := errors.Join(client.Close(), server.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A lost segment holds up those behind it, for a round trip and no more if
// there are some.
func TestHeadOfLine(t *testing.T) {
	bubble(t, netsim.Path{Delay: 50 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		client, server := pair(t, n)
		begin := n.Since()
		n.Inject(netsim.Fault{At: begin + 10*time.Millisecond, For: time.Millisecond, Hosts: []netsim.Host{1}, Cut: true})
		go func() {
			for i := range 10 { // the second one is lost
				if _, err := fmt.Fprintf(client, "%d", i); err != nil {
					t.Error(err)
				}
				<-time.After(10 * time.Millisecond)
			}
		}()
		var at []time.Duration
		for b := make([]byte, 1); len(at) < 10; at = append(at, n.Since()-begin) {
			if _, err := io.ReadFull(server, b); err != nil || int(b[0]-'0') != len(at) {
				t.Fatalf("%q: %v", b, err)
			}
		}
		// Sent at 20, the third is acknowledged at 120, and the second is there at
		// 170, with all that came meanwhile.
		ms := time.Millisecond
		if want := []time.Duration{50 * ms, 170 * ms, 170 * ms}; !slices.Equal(at[:3], want) || at[9] != 170*ms {
			t.Errorf("arrived at %v", at)
		}
	})
}

// A single segment that is lost comes after the timeout of round trip + 200 ms.
func TestTimeout(t *testing.T) {
	bubble(t, netsim.Path{Delay: 50 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		client, server := pair(t, n)
		begin := n.Since()
		n.Inject(netsim.Fault{At: begin, For: time.Millisecond, Hosts: []netsim.Host{1}, Cut: true})
		<-time.After(time.Microsecond)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if took := (n.Since() - begin).Round(time.Millisecond); took != 350*time.Millisecond {
			t.Errorf("it came after %v", took)
		}
	})
}

// Who does not read stops who writes, and lets go on when it reads again, also
// after a cut in which the news of it was lost.
func TestWindow(t *testing.T) {
	for name, cut := range map[string]bool{"calm": false, "cut": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, netsim.Path{Delay: 5 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
				client, server := pair(t, n)
				want := text(2 << 20)
				if err := client.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				k, err := client.Write(want)
				if !errors.Is(err, os.ErrDeadlineExceeded) || k != 2*256<<10 {
					t.Fatalf("%d bytes went without a reader: %v", k, err)
				}
				if err := client.SetWriteDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
				if cut {
					n.Inject(netsim.Fault{For: time.Second, Hosts: []netsim.Host{1}, Cut: true})
				}
				go func() {
					if _, err := client.Write(want[k:]); err != nil {
						t.Error(err)
					}
					if err := client.Close(); err != nil {
						t.Error(err)
					}
				}()
				if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %v", len(got), err)
				}
			})
		})
	}
}

func TestDialFails(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		if _, err := n.Dial(t.Context(), 1, "10.0.0.2:80"); !errors.Is(err, syscall.ECONNREFUSED) || n.Since() != 20*time.Millisecond {
			t.Errorf("after %v: %v", n.Since(), err)
		}
		n.Kill(2)
		begin := n.Since()
		if _, err := n.Dial(t.Context(), 1, "10.0.0.2:80"); !errors.Is(err, syscall.ETIMEDOUT) || n.Since()-begin != 127*time.Second {
			t.Errorf("after %v: %v", n.Since()-begin, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, 1, "10.0.0.2:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A peer that was killed says nothing; one that is back resets what it does not
// know; one that closes without reading resets too.
func TestEnds(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		client, _ := pair(t, n)
		n.Kill(2)
		if err := client.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the dead speak: %v", err)
		}
		n.Revive(2)
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(b); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		client, server := pair(t, n)
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(b); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
}

// A peer that is gone without a word is given up after a quarter of an hour.
func TestGivenUp(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		client, _ := pair(t, n)
		n.Kill(2)
		begin := n.Since()
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, err := client.Read(make([]byte, 1))
		if took := n.Since() - begin; !errors.Is(err, syscall.ETIMEDOUT) || took < 10*time.Minute || took > 20*time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Package http, which leans on deadlines and on what errors are, works.
func TestHTTP(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond, Loss: 0.02}, func(t *testing.T, n *netsim.Network) {
		l, err := n.Listen(netsim.Host(2).Addr(80))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(b) // the client compares
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return n.Dial(ctx, 1, addr) }}
		client := &http.Client{Transport: transport}
		want := text(100 << 10)
		for range 10 {
			resp, err := client.Post("http://10.0.0.2", "text/plain", bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: %v", len(got), err)
			}
		}
		transport.CloseIdleConnections()
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// Two runs with one seed are alike to the nanosecond, however the goroutines
// were scheduled; with another seed they are not.
func TestRunsRepeat(t *testing.T) {
	run := func(seed uint64) (trace []netsim.Packet) {
		synctest.Test(t, func(t *testing.T) {
			n := netsim.New(netsim.Config{
				Seed: seed,
				Path: func(from, to netsim.Host) netsim.Path {
					return netsim.Path{Delay: time.Duration(from+to) * time.Millisecond, Jitter: time.Millisecond, Loss: 0.05, Reorder: 0.05, ReorderBy: 5 * time.Millisecond, Duplicate: 0.01}
				},
				Watch: func(p netsim.Packet) { trace = append(trace, p) },
			})
			defer n.Close()
			l, err := n.Listen(netsim.Host(2).Addr(80))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(c, c)
						_ = c.Close()
					}()
				}
			}()
			done := make(chan struct{})
			const clients = 20
			for i := range clients { // all at the same instants
				go func() {
					defer func() { done <- struct{}{} }()
					host := netsim.Host(10 + i)
					c, err := n.Dial(t.Context(), host, "10.0.0.2:80")
					if err != nil {
						t.Error(err)
						return
					}
					b := text(5000)
					for range 10 {
						if _, err := c.Write(b); err != nil {
							t.Error(err)
						}
						if _, err := io.ReadFull(c, b); err != nil {
							t.Error(err)
						}
					}
					_ = c.Close()
				}()
			}
			for range clients {
				<-done
			}
		})
		return trace
	}
	first, second, other := run(1), run(1), run(2)
	if !slices.Equal(first, second) {
		t.Errorf("two runs differ: %d and %d packets", len(first), len(second))
	}
	if slices.Equal(first, other) {
		t.Error("another seed changes nothing")
	}
	if len(first) < 1000 {
		t.Errorf("only %d packets", len(first))
	}
}
