package telemetry_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"selvedge/internal/telemetry"
)

func TestListenSaysWhoHasThePort(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }()
	_, err = telemetry.Listen("admin", tcp.Addr().String(), "admin-addr")
	want := "admin: " + tcp.Addr().String() + " is in use by another process: choose another --admin-addr"
	if err == nil || err.Error() != want || !errors.Is(err, telemetry.ErrAddrInUse) {
		t.Errorf("got %v, want %s", err, want)
	}

	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	_, err = telemetry.ListenUDP("link", udp.LocalAddr().String(), "link-addr")
	want = "link: " + udp.LocalAddr().String() + " is in use by another process: choose another --link-addr"
	if err == nil || err.Error() != want || !errors.Is(err, telemetry.ErrAddrInUse) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestListenRefusals(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"127.0.0.1", `x: can't listen on "127.0.0.1": `},
		{"127.0.0.1:x", `x: can't listen on "127.0.0.1:x": `},
		{"127.0.0.1:70000", `x: can't listen on "127.0.0.1:70000": `},
		{"192.0.2.1:0", "x: 192.0.2.1:0 is no address of this machine: choose another --x-addr"},
	}
	for _, tt := range tests {
		if l, err := telemetry.Listen("x", tt.addr, "x-addr"); err == nil || !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), "--x-addr") {
			t.Errorf("Listen(%s) = %v, %v, want %s", tt.addr, l, err, tt.want)
		}
		if c, err := telemetry.ListenUDP("x", tt.addr, "x-addr"); err == nil || !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), "--x-addr") {
			t.Errorf("ListenUDP(%s) = %v, %v, want %s", tt.addr, c, err, tt.want)
		}
	}
}

func TestListenUDPGivesASocket(t *testing.T) {
	c, err := telemetry.ListenUDP("link", "127.0.0.1:0", "link-addr")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
