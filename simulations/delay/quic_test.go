package delay

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// A QUIC connection over real loopback sockets, one side wrapped: a round trip
// takes at least twice the delay, and bulk data comes whole.
func TestQUICOverLoopback(t *testing.T) {
	const oneWay = 25 * ms
	cert := selfSigned(t)
	server := listenUDP(t)
	client := Wrap(listenUDP(t), func(net.Addr) time.Duration { return oneWay })
	if _, ok := client.(quic.OOBCapablePacketConn); ok {
		t.Fatal("a wrapped connection must not offer what bypasses it")
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ln, err := quic.Listen(server, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"echo"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	echoed := make(chan error, 1)
	go func() { echoed <- echo(ctx, ln) }()

	tr := &quic.Transport{Conn: client}
	conn, err := tr.Dial(ctx, server.LocalAddr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	str, err := conn.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	roundTrip(t, str, 1)
	if took := time.Since(start); took < 2*oneWay {
		t.Errorf("a round trip took %v, want %v or more", took, 2*oneWay)
	}
	roundTrip(t, str, 1<<20)
	if err := str.Close(); err != nil {
		t.Error(err)
	}
	if err := <-echoed; err != nil {
		t.Error(err)
	}
	if err := conn.CloseWithError(0, ""); err != nil {
		t.Error(err)
	}
	for _, c := range []io.Closer{tr, client, ln, server} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func echo(ctx context.Context, ln *quic.Listener) error {
	conn, err := ln.Accept(ctx)
	if err != nil {
		return err
	}
	str, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	if _, err := io.Copy(str, str); err != nil {
		return err
	}
	return str.Close()
}

func roundTrip(t *testing.T, str *quic.Stream, size int) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := str.Write(make([]byte, size))
		sent <- err
	}()
	if _, err := io.ReadFull(str, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
