package door

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"selvedge/edge/transport"
	"selvedge/edge/websocket"
)

// callersEnv makes the test binary the clients of a benchmark: their CPU is not
// what is measured.
const callersEnv = "DOOR_BENCH_CALLERS"

// callers shakes hands at addr, count times, 64 at a time, and hangs up; by TLS,
// and with a ticket from the last time, if mode says so; or whatever the answer is,
// if mode says that they are refused.
func callers(addr, count, mode string) error {
	var secure *tls.Config
	if mode == "full" || mode == "resumed" {
		secure = &tls.Config{InsecureSkipVerify: true, ServerName: "edge"}
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	ask := []byte(upgrade())
	var left atomic.Int64
	left.Store(int64(n))
	var g errgroup.Group
	for range 64 {
		g.Go(func() error {
			in, secure := bufio.NewReader(nil), secure.Clone()
			if mode == "resumed" {
				secure.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			for left.Add(-1) >= 0 {
				bare, err := net.Dial("tcp", addr)
				if err != nil {
					return err
				}
				nc := bare
				if secure != nil {
					nc = tls.Client(bare, secure)
				}
				_, err = nc.Write(ask)
				in.Reset(nc)
				if err != nil && mode != "refused" {
					return err
				}
				res, err := http.ReadResponse(in, nil)
				if mode != "refused" && (err != nil || res.StatusCode != http.StatusSwitchingProtocols) {
					return fmt.Errorf("%v, %w", res, err)
				}
				// Without TIME_WAIT: the ports are needed again.
				if err := bare.(*net.TCPConn).SetLinger(0); err != nil {
					return err
				}
				_ = bare.Close()
			}
			return nil
		})
	}
	return g.Wait()
}

// shards are two loops, as of an engine on two CPUs.
type shards struct {
	loops []transport.Loop
	next  atomic.Uint32
	gone  atomic.Int64
}

func (s *shards) loop() transport.Loop { return s.loops[int(s.next.Add(1))%len(s.loops)] }

func (s *shards) Take(c *transport.Conn, early []byte, _ websocket.Agreement, session any) error {
	return c.Move(s.loop(), early, session)
}

func (s *shards) Attach(nc net.Conn, early []byte, _ websocket.Agreement, session any) error {
	return s.loop().Add(nc, early, session)
}

// counting is an echo that counts who went.
type counting struct {
	echo
	s *shards
}

func (h counting) Closed(*transport.Conn, error) { h.s.gone.Add(1) }

// BenchmarkDoor is a handshake, from accept until the socket has been handed to
// a shard and closed there: the CPU of the whole process, with the kernel's part.
func BenchmarkDoor(b *testing.B) {
	// With rates like these nobody but the first is taken.
	const shedding, refusing = 0.001, 0.002
	loops := func(b *testing.B, n int) Config {
		var cfg Config
		for range n {
			cfg.Loops = append(cfg.Loops, newAcceptor(b))
		}
		return cfg
	}
	doors := func(cfgs func(*testing.B) []Config) func(*testing.B, context.Context, *errgroup.Group, *shards) string {
		return func(b *testing.B, ctx context.Context, g *errgroup.Group, s *shards) string {
			addr := "127.0.0.1:0"
			for _, cfg := range cfgs(b) {
				cfg.Path, cfg.Check = "/v1/socket", websocket.Upgrader{}.Check
				cfg.Take = func(a *Arrival) error { return a.Enter(s, "session") }
				cfg.HTTP = &http.Server{}
				cfg.Result = func(r Result) {
					if r == Refused || r == Shed {
						s.gone.Add(1)
					}
				}
				ln := listenShared(b, addr)
				addr = ln.Addr().String()
				d := New(cfg)
				if cfg.Rate == refusing { // but for that, most would be shed
					d.gate.accepts.SetLimit(rate.Inf)
				}
				g.Go(func() error { return d.Run(ctx, ln) })
			}
			return addr
		}
	}
	limited := func(perSecond float64) func(b *testing.B) []Config {
		return func(b *testing.B) []Config {
			cfg := loops(b, 1)
			cfg.Rate = perSecond
			return []Config{cfg}
		}
	}
	secure := func(*testing.B) []Config {
		return []Config{{TLS: &tls.Config{Certificates: []tls.Certificate{certificate()}, DynamicRecordSizingDisabled: true}}}
	}
	for _, way := range []struct {
		name  string
		start func(*testing.B, context.Context, *errgroup.Group, *shards) string
		mode  string
	}{
		{"loop", doors(func(b *testing.B) []Config { return []Config{loops(b, 1)} }), ""},
		{"loop, with a rate", doors(limited(1e6)), ""},
		{"loop, refused", doors(limited(refusing)), "refused"},
		{"loop, shed", doors(limited(shedding)), "refused"},
		{"two loops, one listener", doors(func(b *testing.B) []Config { return []Config{loops(b, 2)} }), ""},
		{"two loops, SO_REUSEPORT", doors(func(b *testing.B) []Config { return []Config{loops(b, 1), loops(b, 1)} }), ""},
		{"goroutines", doors(func(*testing.B) []Config { return []Config{{}} }), ""},
		{"net-http", startHTTP, ""},
		{"floor", startFloor, ""},
		{"tls", doors(secure), "full"},
		{"tls, resumed", doors(secure), "resumed"},
	} {
		b.Run(way.name, func(b *testing.B) {
			s := &shards{}
			ctx, cancel := context.WithCancel(context.Background())
			var g errgroup.Group
			for range 2 {
				l := newEpoll(b)
				s.loops = append(s.loops, l)
				g.Go(func() error { return l.Run(ctx, counting{s: s}) })
			}
			measure(b, way.start(b, ctx, &g, s), way.mode, s)
			cancel()
			if err := g.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
}

// measure has b.N handshakes made by another process.
func measure(b *testing.B, addr, mode string, s *shards) {
	run := func(n int) {
		s.gone.Store(0)
		cmd := exec.Command(os.Args[0], addr, strconv.Itoa(n), mode)
		cmd.Env, cmd.Stderr = append(os.Environ(), callersEnv+"=1"), os.Stderr
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		for end := time.Now().Add(patience); s.gone.Load() < int64(n); runtime.Gosched() {
			if time.Now().After(end) {
				b.Fatalf("%d of %d sockets have ended", s.gone.Load(), n)
			}
		}
	}
	run(200) // whatever is made but once
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu := cpuTime(b)
	b.ResetTimer()
	run(b.N)
	b.StopTimer()
	cpu = cpuTime(b) - cpu
	runtime.ReadMemStats(&after)
	n := float64(b.N)
	b.ReportMetric(float64(cpu.Nanoseconds())/n/1e3, "us-cpu/op")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "mallocs/op")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "heap-B/op")
}

// cpuTime is what this process has used, without its children.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listenShared listens where others may, too.
func listenShared(b *testing.B, addr string) net.Listener {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return ln
}

// startHTTP is the way without a door: Upgrade and Hijack.
func startHTTP(b *testing.B, ctx context.Context, g *errgroup.Group, s *shards) string {
	ln := listenShared(b, "127.0.0.1:0")
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, early, agreed, err := websocket.Upgrader{}.Upgrade(w, r)
		if err == nil {
			err = s.Attach(nc, early, agreed, nil)
		}
		if err != nil {
			b.Error(err)
		}
	})}
	g.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return ln.Addr().String()
}

// asCallers does the clients' work, if this process is theirs.
func asCallers() bool {
	if os.Getenv(callersEnv) == "" {
		return false
	}
	if err := callers(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}
