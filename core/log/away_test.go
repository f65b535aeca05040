package log_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// natsAt starts an external NATS at a port; 0 = any. stop ends it.
func natsAt(t *testing.T, dir string, port int) (url string, at int, stop func()) {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir, MaxPayload: 2 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	stop = sync.OnceFunc(func() { srv.Shutdown(); srv.WaitForShutdown() })
	t.Cleanup(stop)
	if !srv.ReadyForConnections(limit) {
		t.Fatal("NATS does not start")
	}
	addr, ok := srv.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(srv.Addr())
	}
	return srv.ClientURL(), addr.Port, stop
}

// An external NATS goes away and comes back while cores publish: they are told
// that it is unavailable, go on by themselves, and nothing acknowledged is lost.
func TestAnExternalNATSThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, port, stop := natsAt(t, dir, 0)
	s := open(t, external(t.TempDir(), url))
	epoch := s.Epoch()
	followed := follow(t, s, 1, 0)

	const channels = 6
	enough := make(chan struct{}) // closed when the publishers may end
	var refused, acked atomic.Int64
	var all sync.WaitGroup
	places := make([][]wire.Seq, channels)
	channel := func(n int) wire.Channel { return wire.Channel(fmt.Sprint("room:", n)) }
	for n := range channels {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-enough:
					return
				default:
				}
				p := post(channel(n), fmt.Sprint(i))
				p.MsgID = fmt.Sprint(i)
				for {
					placed, err := s.Publish(t.Context(), "key", p)
					if err == nil {
						places[n] = append(places[n], placed.Seq)
						acked.Add(1)
						break
					}
					if !errors.Is(err, corelog.ErrUnavailable) || errors.Is(err, corelog.ErrTailLost) {
						t.Errorf("publish: %v", err)
						return
					}
					refused.Add(1)
					<-time.After(5 * time.Millisecond) // as a client does
				}
			}
		})
	}
	for range 2 {
		before := acked.Load()
		eventually(t, "publishes are acknowledged", func() bool { return acked.Load() >= before+100 })
		was := refused.Load()
		stop()
		eventually(t, "publishes are refused", func() bool { return refused.Load() > was })
		if _, err := s.Latest(t.Context(), 0); !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("where the log ends is told all the same: %v", err)
		}
		_, _, stop = natsAt(t, dir, port)
	}
	before := acked.Load()
	eventually(t, "publishes are acknowledged", func() bool { return acked.Load() >= before+100 })
	close(enough)
	all.Wait()
	if s.Epoch() != epoch {
		t.Error("the epoch has changed")
	}
	in := wire.Seq(0)
	for n := range channels {
		frames, more, err := s.ReadChannel(t.Context(), channel(n), 0, 0, 2*len(places[n]), 4<<20)
		if err != nil || more || len(frames) != len(places[n]) {
			t.Fatalf("%s has %d frames, want %d; more %v, %v", channel(n), len(frames), len(places[n]), more, err)
		}
		for i, f := range frames {
			if got := text(t, f.Body); got != fmt.Sprint(i) || f.Seq != places[n][i] {
				t.Fatalf("%s: frame %s at %d, want %d at %d", channel(n), got, f.Seq, i, places[n][i])
			}
		}
		if wire.LogOf(channel(n), s.Logs()) == 1 {
			in += wire.Seq(len(places[n]))
		}
	}
	if in == 0 {
		t.Fatal("no channel is in log 1")
	}
	for want := wire.Seq(1); want <= in; want++ {
		if st := receive(t, followed); st.Seq != want {
			t.Fatalf("followed %d, want %d", st.Seq, want)
		}
	}
}
