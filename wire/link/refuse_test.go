package link_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
)

// stranger is a node of another CA.
func stranger(t *testing.T, role string) *identity.NodeIdentity {
	t.Helper()
	ca, err := identity.NewCA(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := identity.IssueNode(ca, role, "stranger", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.NewNode(issued, ca.PEM())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// mismatched shows the stranger's certificate, but takes every server's.
func mismatched(t *testing.T) *tls.Config {
	c := stranger(t, identity.RoleEdge).ClientTLS()
	c.VerifyConnection = nil
	return c
}

func TestCertificateOfAnotherCA(t *testing.T) {
	s := serve(t, memory(), udp(t))
	_, err := dialer{pc: udp(t), name: "e", tls: mismatched(t)}.dial(t, s.addr)
	if !errors.Is(err, link.ErrRefused) || !strings.Contains(err.Error(), "does not accept our certificate") {
		t.Errorf("the stranger is told %v", err)
	}
	if err := receive(t, "the server's word", s.bad); !errors.Is(err, identity.ErrOtherCA) || !strings.Contains(err.Error(), "stranger") {
		t.Errorf("the server says %v, want %v of stranger", err, identity.ErrOtherCA)
	}
	_, err = dialer{pc: udp(t), name: "e", tls: stranger(t, identity.RoleEdge).ClientTLS()}.dial(t, s.addr)
	if err == nil || !strings.Contains(err.Error(), "signed by another CA") {
		t.Errorf("a downstream of another CA says %v of the server", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("an error of more than one line: %q", err)
	}
}

func TestNoCertificate(t *testing.T) {
	s := serve(t, memory(), udp(t))
	c := node(t, identity.RoleEdge, "e").ClientTLS()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
	if _, err := (dialer{pc: udp(t), name: "e", tls: c}).dial(t, s.addr); !errors.Is(err, link.ErrRefused) {
		t.Errorf("without a certificate: %v, want %v", err, link.ErrRefused)
	}
}

// A node is who its certificate says, and does what its role may.
func TestOnlyWhoOneIs(t *testing.T) {
	s := serve(t, memory(), udp(t))
	for name, d := range map[string]dialer{
		"another node's name": {name: "a", tls: node(t, identity.RoleEdge, "b").ClientTLS()},
		"no name":             {name: "", tls: node(t, identity.RoleEdge, "b").ClientTLS()},
		"a core that dials":   {name: "a", tls: node(t, identity.RoleCore, "a").ClientTLS()},
	} {
		d.pc = udp(t)
		if _, err := d.dial(t, s.addr); !errors.Is(err, link.ErrRefused) {
			t.Errorf("%s: %v, want %v", name, err, link.ErrRefused)
		}
		if err := receive(t, "the server's word", s.bad); !errors.Is(err, link.ErrIdentity) {
			t.Errorf("%s: the server says %v", name, err)
		}
	}
	if n := len(s.Peers()); n != 0 {
		t.Errorf("%d peers", n)
	}
}

// Nor does a downstream take another node for the core that it dials.
func TestOnlyTheCoreThatIsDialled(t *testing.T) {
	for name, server := range map[string]*identity.NodeIdentity{
		"another core": node(t, identity.RoleCore, "other"),
		"an edge":      node(t, identity.RoleEdge, "core"),
	} {
		addr := upstreamOf(t, server, map[string]any{"t": "welcome", "epoch": "e", "logs": 1, "ends": []int{0, 0}}, nil)
		if _, err := (dialer{pc: udp(t), name: "e", peer: "core"}).dial(t, addr); !errors.Is(err, link.ErrIdentity) {
			t.Errorf("%s: %v, want %v", name, err, link.ErrIdentity)
		}
	}
}

// raw is a QUIC connection that does not keep to the protocol.
func raw(t *testing.T, addr net.Addr) *quic.Conn {
	t.Helper()
	c := node(t, identity.RoleEdge, "raw").ClientTLS()
	c.NextProtos = []string{link.ALPN}
	conn, err := quic.DialAddr(t.Context(), addr.String(), c, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}

// message is a control message as it travels.
func message(t *testing.T, m map[string]any) []byte {
	t.Helper()
	b, err := wire.Msgpack.Append([]byte{0, 0, 0, 0}, m)
	if err != nil {
		t.Fatal(err)
	}
	n := len(b) - 4
	b[0], b[1], b[2], b[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return b
}

var goodHello = map[string]any{"t": "hello", "version": 2, "node": "raw", "region": "r"}

func TestMalformedControlMessagesEndTheLink(t *testing.T) {
	hello := slices.Clip(message(t, goodHello))
	for name, b := range map[string][]byte{
		"another version":      message(t, map[string]any{"t": "hello", "version": 1}),
		"no hello":             message(t, map[string]any{"t": "ping"}),
		"hello is too long":    {0xff, 0, 0, 0},
		"hello is no msgpack":  {0, 0, 0, 1, 0xc1},
		"hello bombs":          {0, 0, 0, 5, 0xdf, 0xff, 0xff, 0xff, 0xff},
		"unknown message":      append(hello, message(t, map[string]any{"t": "dance"})...),
		"message too long":     append(hello, 0xff, 0xff, 0xff, 0xff),
		"malformed message":    append(hello, 0, 0, 0, 1, 0xc1),
		"log out of range":     append(hello, message(t, map[string]any{"t": "open", "p": 2})...),
		"log opened twice":     append(hello, append(message(t, map[string]any{"t": "open"}), message(t, map[string]any{"t": "open"})...)...),
		"close of a closed":    append(hello, message(t, map[string]any{"t": "close", "p": 1})...),
		"an edge's order":      message(t, map[string]any{"t": "order", "version": 2, "node": "raw", "order": map[string]any{"do": "drain", "node": "core"}}),
		"an order of nothing":  message(t, map[string]any{"t": "order", "version": 2, "node": "raw"}),
		"order after hello":    append(hello, message(t, map[string]any{"t": "order", "version": 2, "order": map[string]any{"do": "drain"}})...),
		"interest in a closed": append(hello, message(t, map[string]any{"t": "interest", "p": 1})...),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, memory(), udp(t))
			conn := raw(t, s.addr)
			st, err := conn.OpenStreamSync(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Write(b); err != nil {
				t.Fatal(err)
			}
			receive(t, "the end of the connection", conn.Context().Done())
			var app *quic.ApplicationError
			if err := context.Cause(conn.Context()); !errors.As(err, &app) || !app.Remote || app.ErrorCode != 1 || app.ErrorMessage == "" {
				t.Errorf("closed by %v, want the server's reason under code 1", err)
			}
			select {
			case err = <-s.bad:
			case err = <-s.down:
			case <-time.After(patience):
				t.Fatal("the server reports nothing")
			}
			if err == nil {
				t.Error("the server reports a good end")
			}
			if n := len(s.Peers()); n != 0 {
				t.Errorf("%d peers are left", n)
			}
		})
	}
}

// A downstream of another version learns so.
func TestVersionMismatchIsSaid(t *testing.T) {
	s := serve(t, memory(), udp(t))
	conn := raw(t, s.addr)
	st, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(message(t, map[string]any{"t": "hello", "version": 9})); err != nil {
		t.Fatal(err)
	}
	receive(t, "the end of the connection", conn.Context().Done())
	if err := context.Cause(conn.Context()); !strings.Contains(err.Error(), `expected hello of version 2, got "hello" of version 9`) {
		t.Errorf("it is told %v", err)
	}
}

func TestMalformedQueryConcernsItsAskerOnly(t *testing.T) {
	s := serve(t, memory(), udp(t))
	conn := raw(t, s.addr)
	control, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Write(message(t, goodHello)); err != nil {
		t.Fatal(err)
	}
	bad, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Write([]byte{0, 0, 0, 5, 0xdf, 0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if n, err := bad.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("an answer of %d bytes, %v", n, err)
	}
	if err := conn.SendDatagram([]byte{0xc1}); err != nil { // nor does a bad signal
		t.Fatal(err)
	}
	if _, err := control.Write(message(t, map[string]any{"t": "ping", "sent": 1})); err != nil {
		t.Fatal(err)
	}
	welcomeAndPong := make([]byte, 40)
	if _, err := control.Read(welcomeAndPong); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	if n := len(s.Peers()); n != 1 {
		t.Errorf("%d peers, want 1", n)
	}
}
