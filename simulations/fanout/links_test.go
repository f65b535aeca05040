package fanout

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"selvedge/internal/identity"
	"selvedge/simulations/load"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// feed is a core's side of links, with one log.
type feed struct {
	log    *linktest.Memory
	server *link.Server
	addr   string
}

func newFeed(t *testing.T) *feed {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.DevNode(identity.RoleCore, "core-1")
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{log: linktest.NewMemory(1, 1<<20), addr: pc.LocalAddr().String()}
	if f.server, err = link.Listen(pc, link.ServerConfig{TLS: id.ServerTLS(), Source: f.log}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, pc.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// publish appends message n of the first round.
func (f *feed) publish(p payloads, n int64) { f.publishIn(p, 1, n) }

func (f *feed) publishIn(p payloads, round, n int64) {
	text := p.text(stamp{round: round, n: n, at: load.Now()})
	data := append(wire.Data{0xda, byte(len(text) >> 8), byte(len(text))}, text...)
	seq := f.log.End(0) + 1
	body := wire.AppendBody(nil, &wire.Post{Ch: channel, TS: 1, Data: data})
	f.log.Record(0, tail.Frame, wire.FramesKey(channel), wire.AppendFrame(nil, 0, seq, seq-1, body))
}

// order is for gateways of f.
func (f *feed) order(count int) order {
	return order{Kind: kindLink, Targets: []target{{Addr: f.addr, Node: "core-1", Region: "us-east"}}, Channel: string(channel), Count: count, InFlight: 2, Bytes: 200}
}

// came waits until so many gateways have publishes 0 to n, and tells what came.
func came(t *testing.T, tl *tally, n, gateways int64) word {
	t.Helper()
	err := tl.await(t.Context(), 0, n, gateways, 20*time.Second)
	w, tellErr := tl.tell()
	if err := errors.Join(err, tellErr); err != nil || w.Receipts != n*gateways || w.Doubled != 0 || w.Late != 0 {
		t.Fatalf("%d came, %d of them late, %d twice, %d should have: %v", w.Receipts, w.Late, w.Doubled, n*gateways, err)
	}
	return w
}

// A gateway whose link breaks is back by itself, and has each message once: those of
// meanwhile, too, and none from before it came.
func TestLinksResume(t *testing.T) {
	f := newFeed(t)
	p := newPayloads(200)
	f.publish(p, 9)
	tl := &tally{payloads: p}
	tl.begin(1, 10)
	all, err := connectLinks(t.Context(), tl, f.order(3))
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(4) {
		f.publish(p, n)
	}
	came(t, tl, 4, 3)
	f.server.Reset("try")
	for n := range int64(4) {
		f.publish(p, 4+n)
	}
	if w := came(t, tl, 8, 3); w.Relinked != 3 {
		t.Errorf("%d links were made anew, 3 were cut", w.Relinked)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}

// One whose link breaks before anything was ever published has the first message.
func TestLinksResumeInAnEmptyLog(t *testing.T) {
	f := newFeed(t)
	p := newPayloads(200)
	tl := &tally{payloads: p}
	tl.begin(1, 1)
	all, err := connectLinks(t.Context(), tl, f.order(1))
	if err != nil {
		t.Fatal(err)
	}
	f.server.Reset("try")
	f.publish(p, 0)
	if w := came(t, tl, 1, 1); w.Relinked != 1 {
		t.Errorf("%+v", w)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}

// One whose relay has lost the log goes on at the core, from where it was.
func TestLinksGoToTheCore(t *testing.T) {
	relay, core := newFeed(t), newFeed(t)
	p := newPayloads(200)
	tl := &tally{payloads: p}
	tl.begin(1, 2)
	o := relay.order(1)
	o.Back = &target{Addr: core.addr, Node: "core-1"}
	all, err := connectLinks(t.Context(), tl, o)
	if err != nil {
		t.Fatal(err)
	}
	relay.publish(p, 0)
	core.publish(p, 0)
	came(t, tl, 1, 1)
	core.publish(p, 1)
	relay.server.Reset("try")
	if w := came(t, tl, 2, 1); w.Relinked != 1 {
		t.Errorf("%+v", w)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}

// One that comes to an upstream that lacks the log does not stay there.
func TestLinksLeaveWhoIsBehind(t *testing.T) {
	relay, empty := newFeed(t), newFeed(t)
	p := newPayloads(200)
	tl := &tally{payloads: p}
	tl.begin(1, 2)
	o := relay.order(1)
	o.Back = &target{Addr: empty.addr, Node: "core-1"}
	all, err := connectLinks(t.Context(), tl, o)
	if err != nil {
		t.Fatal(err)
	}
	relay.publish(p, 0)
	came(t, tl, 1, 1)
	relay.server.Reset("try")
	relay.publish(p, 1)
	if w := came(t, tl, 2, 1); w.Relinked != 2 {
		t.Errorf("%+v", w)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}

// One that had to leave its relay is told of as long as it is at the core; asked to, it
// goes home, and has each message once.
func TestLinksGoHome(t *testing.T) {
	relay, core := newFeed(t), newFeed(t)
	p := newPayloads(200)
	o := relay.order(2)
	o.Do, o.Back = "connect", &target{Addr: core.addr, Node: "core-1"}
	h := &host{}
	obeyed := func(o order) word {
		t.Helper()
		w, err := h.handle(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	await := func(n, astray int64) {
		t.Helper()
		if w := obeyed(order{Do: "await", From: n, Publishes: 1, Count: 2, Millis: 20_000}); w.Astray != astray {
			t.Errorf("publish %d: %d are astray, want %d", n, w.Astray, astray)
		}
	}
	obeyed(o)
	obeyed(order{Do: "begin", Round: 1, Publishes: 4})
	publish := func(n int64) {
		relay.publish(p, n)
		core.publish(p, n)
	}
	publish(0)
	await(0, 0)
	relay.server.Reset("try")
	core.publish(p, 1) // who has it is at the core
	await(1, 2)
	relay.publish(p, 1)
	obeyed(order{Do: "home", InFlight: 2})
	publish(2)
	await(2, 0)
	core.server.Reset("try") // nobody is there
	publish(3)
	await(3, 0)
	if w := obeyed(order{Do: "tell"}); w.Receipts != 8 || w.Doubled != 0 || w.Late != 0 || w.Relinked != 4 {
		t.Errorf("%+v", w)
	}
	obeyed(order{Do: "drop"})
}

// A dial that fails is no link that was made anew.
func TestLinksThatAreNotMade(t *testing.T) {
	relay := newFeed(t)
	tl := &tally{payloads: newPayloads(200)}
	tl.begin(1, 1)
	o := relay.order(1)
	o.Back = &target{Addr: relay.addr, Node: "core-2"} // nobody has this name
	all, err := connectLinks(t.Context(), tl, o)
	if err != nil {
		t.Fatal(err)
	}
	relay.publish(tl.payloads, 0)
	came(t, tl, 1, 1)
	tl.begin(2, 1)
	relay.server.Reset("try")
	relay.publishIn(tl.payloads, 2, 0)
	if w := came(t, tl, 1, 1); w.Relinked != 1 {
		t.Errorf("%d links were made anew, one could be", w.Relinked)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}

// One that nobody feeds is told.
func TestLinksThatAreNotLive(t *testing.T) {
	f := newFeed(t)
	o := f.order(1)
	o.Targets[0].Node = "core-2"
	if _, err := connectLinks(t.Context(), &tally{payloads: newPayloads(200)}, o); err == nil || !strings.Contains(err.Error(), "core-2") {
		t.Errorf("a core of another name: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	o.Targets[0] = target{Addr: "127.0.0.1:9", Node: "core-1"}
	if _, err := connectLinks(ctx, &tally{payloads: newPayloads(200)}, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody there: %v", err)
	}
}
