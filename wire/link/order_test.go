package link_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
)

// listens is a server of a node, which runs until the test ends.
func listens(t *testing.T, role, name string, src link.Source, ordered func(string, link.Order) *wire.Error) (s *link.Server, addr net.Addr, refused chan error) {
	t.Helper()
	pc, refused := udp(t), make(chan error, 8)
	s, err := link.Listen(pc, link.ServerConfig{
		TLS: node(t, role, name).ServerTLS(), Source: src, Ordered: ordered,
		Events: link.ServerEvents{Refused: func(_ net.Addr, err error) { report(refused, err) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, pc.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return s, pc.LocalAddr(), refused
}

// orders collects what one is told.
type orders chan link.Order

// told dials a server and collects. beats receives at each pong.
func told(t *testing.T, addr net.Addr, name string, relay bool) (got orders, beats chan struct{}) {
	t.Helper()
	got, beats = make(orders, 8), make(chan struct{}, 8)
	d := dialer{
		pc: udp(t), name: name, relay: relay, orders: func(o link.Order) { got <- o },
		ends: func([]wire.Seq) {
			select {
			case beats <- struct{}{}:
			default: // nobody counts so far
			}
		},
	}
	if _, err := d.dial(t, addr); err != nil {
		t.Fatal(err)
	}
	return got, beats
}

// An edge that is linked is told an order, once, however often pongs say it; others
// are not.
func TestAnOrderComesWithThePongs(t *testing.T) {
	s, addr, _ := listens(t, identity.RoleCore, "core", linktest.NewMemory(wire.MaxLogs, 1<<20), nil)
	e, beats := told(t, addr, "e", false)
	other, _ := told(t, addr, "other", false)
	receive(t, "a pong", beats)
	o := link.Order{Do: link.Drain, Node: "e", By: "key", Via: "core-2"}
	if s.Order(link.Order{Do: link.Drain, Node: "nobody"}) {
		t.Error("a node without a link was told")
	}
	if !s.Order(o) {
		t.Fatal("e was not found")
	}
	if diff := cmp.Diff(o, receive(t, "the order", e)); diff != "" {
		t.Errorf("(-ordered +told):\n%s", diff)
	}
	receive(t, "a pong", beats)
	receive(t, "a pong", beats)
	if len(e) > 0 || len(other) > 0 {
		t.Errorf("told %d times more, another one %d times", len(e), len(other))
	}
	// A later link is not told: the node has been started again.
	again, beats := told(t, addr, "e", false)
	receive(t, "a pong", beats)
	receive(t, "a pong", beats)
	if len(again) > 0 {
		t.Error("a link that came later was told")
	}
}

// A name of any length fits a pong, also with the most logs.
func TestAnOrderFitsAPong(t *testing.T) {
	src := linktest.NewMemory(wire.MaxLogs, 1<<20)
	for p := range wire.LogID(wire.MaxLogs) {
		src.Tail(p).Reset(1 << 52)
	}
	s, addr, _ := listens(t, identity.RoleCore, "core", src, nil)
	e, beats := told(t, addr, "e", false)
	receive(t, "a pong", beats) // the link is up at the other end, too
	long := strings.Repeat("ß", 10_000)
	if !s.Order(link.Order{Do: link.Drain, Node: "e", By: long, Via: long}) {
		t.Fatal("e was not found")
	}
	if o := receive(t, "the order", e); len(o.By) < 100 || len(o.By) > 128 || o.Via != o.By {
		t.Errorf("%d and %d bytes arrive", len(o.By), len(o.Via))
	}
}

// Siblings give no orders.
func TestARelaysOrderIsNotTaken(t *testing.T) {
	s, addr, _ := listens(t, identity.RoleEdge, "relay", memory(), nil)
	e, beats := told(t, addr, "e", true)
	receive(t, "a pong", beats)
	if !s.Order(link.Order{Do: link.Drain, Node: "e"}) {
		t.Fatal("e was not found")
	}
	receive(t, "a pong", beats)
	receive(t, "a pong", beats)
	if len(e) > 0 {
		t.Error("an edge has drained another")
	}
}

// Cores tell each other; the answer is that of the one who is told.
func TestTell(t *testing.T) {
	teller, _, _ := listens(t, identity.RoleCore, "core-1", memory(), nil)
	type heard struct {
		From  string
		Order link.Order
	}
	got := make(chan heard, 8)
	_, addr, refused := listens(t, identity.RoleCore, "core-2", memory(), func(from string, o link.Order) *wire.Error {
		got <- heard{from, o}
		if o.Node == "nobody" {
			return &wire.Error{Code: wire.NotFound, Message: "no link to nobody"}
		}
		return nil
	})
	who := func(role, name, says, peer string) link.Teller {
		return link.Teller{TLS: node(t, role, name).ClientTLS(), Node: says, Peer: peer}
	}
	core := who(identity.RoleCore, "core-1", "core-1", "core-2")
	o := link.Order{Do: link.Drain, Node: "e", By: "key", Via: "core-1"}
	if refusal, err := teller.Tell(t.Context(), addr, core, o); refusal != nil || err != nil {
		t.Errorf("refused: %v, %v", refusal, err)
	}
	if diff := cmp.Diff(heard{"core-1", o}, receive(t, "the order", got)); diff != "" {
		t.Errorf("(-told +heard):\n%s", diff)
	}
	refusal, err := teller.Tell(t.Context(), addr, core, link.Order{Do: link.Drain, Node: "nobody"})
	if err != nil || refusal == nil || refusal.Code != wire.NotFound || refusal.Message != "no link to nobody" {
		t.Errorf("the refusal is %v, %v", refusal, err)
	}
	<-got

	// It takes one from nobody but a core that is who it says.
	for name, test := range map[string]struct {
		who  link.Teller
		want error
	}{
		"an edge":        {who(identity.RoleEdge, "e", "e", "core-2"), link.ErrRefused},
		"another's name": {who(identity.RoleCore, "core-1", "core-3", "core-2"), link.ErrRefused},
		"a stranger":     {link.Teller{TLS: mismatched(t), Node: "stranger", Peer: "core-2"}, link.ErrRefused},
		"another core":   {who(identity.RoleCore, "core-1", "core-1", "core-9"), link.ErrIdentity},
	} {
		if _, err := teller.Tell(t.Context(), addr, test.who, o); !errors.Is(err, test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if errors.Is(test.want, link.ErrRefused) {
			if err := receive(t, "the word of the one who refuses", refused); err == nil {
				t.Errorf("%s: refused without a reason", name)
			}
		}
	}
	if len(got) > 0 {
		t.Errorf("taken: %+v", <-got)
	}
}

// A node that takes none says so, and one that is not there is not waited for longer
// than the caller does.
func TestTellInVain(t *testing.T) {
	teller, _, _ := listens(t, identity.RoleCore, "core-1", memory(), nil)
	_, addr, _ := listens(t, identity.RoleCore, "core-2", memory(), nil)
	who := link.Teller{TLS: node(t, identity.RoleCore, "core-1").ClientTLS(), Node: "core-1", Peer: "core-2"}
	if _, err := teller.Tell(t.Context(), addr, who, link.Order{Do: link.Drain}); !errors.Is(err, link.ErrRefused) {
		t.Errorf("%v, want %v", err, link.ErrRefused)
	}
	nobody := udp(t)
	defer func() { _ = nobody.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience/100)
	defer cancel()
	if _, err := teller.Tell(ctx, nobody.LocalAddr(), who, link.Order{Do: link.Drain}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of somebody silent: %v", err)
	}
}
