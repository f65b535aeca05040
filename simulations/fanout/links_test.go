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
func (f *feed) publish(p payloads, n int64) {
	text := p.text(stamp{round: 1, n: n, at: load.Now()})
	data := append(wire.Data{0xda, byte(len(text) >> 8), byte(len(text))}, text...)
	seq := f.log.End(0) + 1
	body := wire.AppendBody(nil, &wire.Post{Ch: channel, TS: 1, Data: data})
	f.log.Record(0, tail.Frame, wire.FramesKey(channel), wire.AppendFrame(nil, 0, seq, seq-1, body))
}

// order is for gateways of f.
func (f *feed) order(count int) order {
	return order{Kind: kindLink, Targets: []target{{Addr: f.addr, Node: "core-1", Region: "us-east"}}, Channel: string(channel), Count: count, InFlight: 2, Bytes: 200}
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
	await := func(want int64) word {
		t.Helper()
		w, err := tl.await(t.Context(), want, 20*time.Second)
		if err != nil || w.Receipts != want || w.Doubled != 0 {
			t.Fatalf("%d came, %d of them twice, %d should have: %v", w.Receipts, w.Doubled, want, err)
		}
		return w
	}
	for n := range int64(4) {
		f.publish(p, n)
	}
	await(12)
	f.server.Reset("try")
	for n := range int64(4) {
		f.publish(p, 4+n)
	}
	if w := await(24); w.Relinked != 3 {
		t.Errorf("%d links were made anew, 3 were cut", w.Relinked)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
	if tl.stray.Load() != 0 {
		t.Errorf("%d came that are not of the round", tl.stray.Load())
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
	if w, err := tl.await(t.Context(), 1, 20*time.Second); err != nil || w.Receipts != 1 || w.Relinked != 1 {
		t.Errorf("%+v, %v", w, err)
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
	if w, err := tl.await(t.Context(), 1, 20*time.Second); err != nil || w.Receipts != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	core.publish(p, 1)
	relay.server.Reset("try")
	w, err := tl.await(t.Context(), 2, 20*time.Second)
	if err != nil || w.Receipts != 2 || w.Doubled != 0 || w.Relinked != 1 {
		t.Errorf("%+v, %v", w, err)
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
	if w, err := tl.await(t.Context(), 1, 20*time.Second); err != nil || w.Receipts != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	relay.server.Reset("try")
	relay.publish(p, 1)
	w, err := tl.await(t.Context(), 2, 20*time.Second)
	if err != nil || w.Receipts != 2 || w.Doubled != 0 || w.Relinked != 2 {
		t.Errorf("%+v, %v", w, err)
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
