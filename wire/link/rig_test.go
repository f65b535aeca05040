package link_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func node(t testing.TB, role, name string) *identity.NodeIdentity {
	t.Helper()
	id, err := identity.DevNode(role, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// server is a link.Server over loopback or a simulated network.
type server struct {
	*link.Server
	addr net.Addr
	down chan error // of links that ended
	bad  chan error // of links that were refused
	sent sync.Map   // by region: how many frames, *atomic.Int64
	stop func()     // ends Run and waits for it
}

func udp(t testing.TB) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func serve(t testing.TB, src link.Source, pc net.PacketConn) *server {
	t.Helper()
	return serveAs(t, src, pc, identity.RoleCore, "core")
}

// serveAs serves by a certificate of that role and name.
func serveAs(t testing.TB, src link.Source, pc net.PacketConn, role, name string) *server {
	t.Helper()
	s := &server{addr: pc.LocalAddr(), down: make(chan error, 64), bad: make(chan error, 64)}
	var err error
	s.Server, err = link.Listen(pc, link.ServerConfig{
		TLS: node(t, role, name).ServerTLS(), Source: src,
		Events: link.ServerEvents{
			Down:    func(_, _ string, err error) { report(s.down, err) },
			Refused: func(_ net.Addr, err error) { report(s.bad, err) },
			Sent: func(region string, kind tail.Kind, _ int) {
				if n, _ := s.sent.LoadOrStore(region, new(atomic.Int64)); kind == tail.Frame {
					n.(*atomic.Int64).Add(1)
				}
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		_ = pc.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// report keeps the first errors: events must not block, and few tests read them.
func report(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}

// event is one call of a Receiver.
type event struct {
	records []tail.Record
	marker  *link.Marker
	gap     wire.Seq
	lost    []wire.Key // with gap
	behind  bool

	elsewhere bool
}

// downstream is a Link whose events can be waited for, by log.
type downstream struct {
	*link.Link
	t       testing.TB
	logs    map[wire.LogID]chan event // fixed by dial
	pending map[wire.LogID][]tail.Record
	signals chan *wire.Signal
	in, out chan struct{} // not nil: Records says that it is called, and waits for leave
	ended   chan struct{} // closed when Run has returned err
	err     error
	stop    func() // ends Run and waits for it
}

func (d *downstream) Records(p wire.LogID, r []tail.Record) {
	if d.in != nil {
		d.in <- struct{}{}
		<-d.out
	}
	d.logs[p] <- event{records: r}
}

func (d *downstream) Marker(p wire.LogID, m link.Marker) { d.logs[p] <- event{marker: &m} }
func (d *downstream) Gap(p wire.LogID, floor wire.Seq, lost []wire.Key) {
	d.logs[p] <- event{gap: floor, lost: lost}
}
func (d *downstream) Behind(p wire.LogID, _ wire.Seq) { d.logs[p] <- event{behind: true} }
func (d *downstream) Elsewhere(p wire.LogID)          { d.logs[p] <- event{elsewhere: true} }
func (d *downstream) Signal(s *wire.Signal)           { d.signals <- s }

// dialer is what a downstream needs to dial.
type dialer struct {
	pc     net.PacketConn
	tls    *tls.Config
	name   string
	peer   string // the core that must answer; "" = any
	status func() link.Status
	ends   func([]wire.Seq)
	orders func(link.Order)
	relay  bool // it is an edge that must answer
	steps  bool // Records waits: see downstream.in
	room   int  // events that a log may be behind before its receiver blocks; 0 = plenty
}

func dial(t testing.TB, s *server, name string) *downstream {
	t.Helper()
	d, err := dialer{pc: udp(t), name: name}.dial(t, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dial links; the downstream ends with the test.
func (d dialer) dial(t testing.TB, addr net.Addr) (*downstream, error) {
	t.Helper()
	if d.room == 0 {
		d.room = 1 << 16
	}
	if d.tls == nil {
		d.tls = node(t, identity.RoleEdge, d.name).ClientTLS()
	}
	down := &downstream{
		t: t, logs: map[wire.LogID]chan event{}, pending: map[wire.LogID][]tail.Record{},
		signals: make(chan *wire.Signal, 1<<12), ended: make(chan struct{}),
	}
	if d.steps {
		down.in, down.out = make(chan struct{}), make(chan struct{})
	}
	for p := range wire.LogID(8) {
		down.logs[p] = make(chan event, d.room)
	}
	down.logs[wire.StateLog] = make(chan event, d.room)
	tr := link.NewTransport(d.pc)
	closeAll := func() {
		_ = tr.Close()
		_ = d.pc.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	down.Link, err = link.Dial(ctx, tr, addr, link.DialConfig{TLS: d.tls, Node: d.name, Region: "r-" + d.name, Peer: d.peer, Relay: d.relay, Receiver: down, Status: d.status, Ends: d.ends, Ordered: d.orders})
	if err != nil {
		closeAll()
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	go func() {
		defer close(down.ended)
		down.err = down.Run(run)
	}()
	down.stop = sync.OnceFunc(func() {
		stop()
		<-down.ended
		closeAll()
	})
	t.Cleanup(down.stop)
	return down, nil
}

func (d *downstream) open(p wire.LogID, after wire.Seq, keys ...wire.Key) {
	d.t.Helper()
	if err := d.Open(d.t.Context(), p, after, 0, keys); err != nil {
		d.t.Fatalf("open log %d: %v", p, err)
	}
	if after == link.Live { // a marker says from where on
		if e := receive(d.t, "the marker of what was opened", d.logs[p]); e.marker == nil || e.marker.ID != 0 {
			d.t.Fatalf("log %d begins with %+v", p, e)
		}
	}
}

// change sends an interest delta and returns its marker, and the records that
// came before it.
func (d *downstream) change(p wire.LogID, id uint64, add, del []wire.Key, since wire.Seq) (link.Marker, []tail.Record) {
	d.t.Helper()
	if err := d.Interest(d.t.Context(), p, id, add, del, since); err != nil {
		d.t.Fatalf("interest %d in log %d: %v", id, p, err)
	}
	var before []tail.Record
	for {
		e := d.event(p)
		before = append(before, e.records...)
		if e.marker != nil {
			if e.marker.ID != id {
				d.t.Fatalf("marker %d, want %d", e.marker.ID, id)
			}
			return *e.marker, before
		}
	}
}

func (d *downstream) event(p wire.LogID) event {
	d.t.Helper()
	select {
	case e := <-d.logs[p]:
		return e
	case <-time.After(patience):
		d.t.Fatalf("nothing came of log %d", p)
	case <-d.ended:
		d.t.Fatalf("the link ended: %v", d.err)
	}
	return event{}
}

// record is the next record of log p.
func (d *downstream) record(p wire.LogID) tail.Record {
	d.t.Helper()
	for len(d.pending[p]) == 0 {
		e := d.event(p)
		if e.records == nil {
			d.t.Fatalf("a marker or gap of log %d, want records: %+v", p, e)
		}
		d.pending[p] = e.records
	}
	r := d.pending[p][0]
	d.pending[p] = d.pending[p][1:]
	return r
}

// seqs are the positions of the next n frames of log p.
func (d *downstream) seqs(p wire.LogID, n int) []wire.Seq {
	d.t.Helper()
	out := make([]wire.Seq, 0, n)
	for range n {
		out = append(out, seqOf(d.t, d.record(p)))
	}
	return out
}

func seqOf(t testing.TB, r tail.Record) wire.Seq {
	t.Helper()
	f, err := wire.ParseFrame(r.Bytes)
	if err != nil {
		t.Fatalf("a record of kind %d that is no frame: %v", r.Kind, err)
	}
	return f.Seq
}

// wait returns how the link ended.
func (d *downstream) wait() error {
	d.t.Helper()
	select {
	case <-d.ended:
		return d.err
	case <-time.After(patience):
		d.t.Fatal("the link does not end")
		return nil
	}
}

func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

var _ link.Receiver = (*downstream)(nil)

// channels are n channels of log p of two.
func channels(p wire.LogID, n int) []wire.Channel {
	var out []wire.Channel
	for id := 'a'; len(out) < n; id++ {
		if ch := wire.RoomChannel(wire.RoomID(string(id))); wire.LogOf(ch, 2) == p {
			out = append(out, ch)
		}
	}
	return out
}

func memory() *linktest.Memory { return linktest.NewMemory(2, 1<<20) }
