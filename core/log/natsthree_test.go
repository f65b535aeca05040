package log_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// natsThree is a NATS of somebody else's that keeps three copies: three servers
// that form a cluster by TCP.
type natsThree struct {
	t     testing.TB
	dirs  [3]string
	ports [3]int // of clients
	peers [3]int // of the other servers
	stops [3]func()
}

// startNATSThree starts it, with its data in folders of the test.
func startNATSThree(t testing.TB) *natsThree {
	t.Helper()
	n := &natsThree{t: t}
	free := freePorts(t, len(n.ports)+len(n.peers))
	copy(n.ports[:], free)
	copy(n.peers[:], free[len(n.ports):])
	for i := range n.dirs {
		n.dirs[i] = t.TempDir()
		n.start(i)
	}
	return n
}

// freePorts are ports of loopback that nobody listens at now.
func freePorts(t testing.TB, count int) (ports []int) {
	t.Helper()
	for range count {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }() // all of them after the last one: no two are the same
		addr, ok := ln.Addr().(*net.TCPAddr)
		if !ok {
			t.Fatal(ln.Addr())
		}
		ports = append(ports, addr.Port)
	}
	return ports
}

// start starts server i, on what its folder has.
func (n *natsThree) start(i int) {
	n.t.Helper()
	options := &server.Options{
		ServerName: fmt.Sprint("nats-", i), Host: "127.0.0.1", Port: n.ports[i], NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: n.dirs[i], MaxPayload: 2 << 20,
		Cluster: server.ClusterOpts{Name: "others", Host: "127.0.0.1", Port: n.peers[i]},
	}
	for k, port := range n.peers {
		if k != i {
			options.Routes = append(options.Routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	}
	srv, err := server.NewServer(options)
	if err != nil {
		n.t.Fatal(err)
	}
	srv.Start()
	n.stops[i] = sync.OnceFunc(func() { srv.Shutdown(); srv.WaitForShutdown() })
	n.t.Cleanup(n.stops[i])
	if !srv.ReadyForConnections(limit) {
		n.t.Fatal("a server of NATS does not start")
	}
}

// url is where clients reach server i.
func (n *natsThree) url(i int) string { return fmt.Sprintf("nats://127.0.0.1:%d", n.ports[i]) }

// config is that of a core that keeps its logs there, and goes to server i first.
func (n *natsThree) config(i int) corelog.Config {
	cfg := external(n.t.TempDir(), n.url(i))
	cfg.Replicas = 3
	return cfg
}

// open opens three cores, each with a server of its own.
func (n *natsThree) open(t *testing.T) (stores []*corelog.Store) {
	t.Helper()
	for i := range n.ports {
		stores = append(stores, open(t, n.config(i)))
	}
	return stores
}

// Of an external cluster, any one server may go: its cores go to the others, and
// what it led is led by them.
func TestAnExternalClusterWithoutOneOfThree(t *testing.T) {
	t.Parallel()
	n := startNATSThree(t)
	cfg := n.config(0)
	cfg.Servers = []string{n.url(0), n.url(1), n.url(2)}
	s := open(t, cfg)
	epoch := s.Epoch()
	const ch = wire.Channel("room:a")
	p := wire.LogOf(ch, s.Logs())
	followed := follow(t, s, p, 0)
	count := 0
	publishMore := func() {
		t.Helper()
		for range 20 {
			m := post(ch, fmt.Sprint(count))
			m.MsgID = fmt.Sprint(count)
			eventually(t, "a publish is acknowledged", func() bool {
				_, err := s.Publish(t.Context(), "key", m)
				return err == nil
			})
			count++
		}
	}
	publishMore()
	leader := -1
	eventually(t, "the log has a leader", func() bool {
		_, err := fmt.Sscanf(s.Leader(t.Context(), p), "nats-%d", &leader)
		return err == nil
	})
	n.stops[leader]()
	publishMore()
	n.start(leader)
	publishMore()
	for want := range count {
		if st := receive(t, followed); st.Seq != wire.Seq(want+1) || text(t, st.Body) != fmt.Sprint(want) {
			t.Fatalf("followed %d, %q; want %d", st.Seq, text(t, st.Body), want+1)
		}
	}
	if end := s.End(p); end != wire.Seq(count) || s.Epoch() != epoch {
		t.Errorf("the log ends at %d, with %d published; the epoch was %s, and is %s", end, count, epoch, s.Epoch())
	}
}

// Copies that a NATS can't make are refused with what to do.
func TestThreeCopiesNeedThreeServers(t *testing.T) {
	t.Parallel()
	cfg := external(t.TempDir(), startNATS(t, t.TempDir()))
	cfg.Replicas = 3
	s, err := corelog.Open(t.Context(), cfg)
	if err == nil {
		t.Fatal("it opens", s.Close())
	}
	if !strings.Contains(err.Error(), "--replicas") {
		t.Errorf("%q doesn't say what to do", err)
	}
}
