package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// secureSubject is sub with TLS on all its conns.
func secureSubject(sub subject) subject {
	sub.name += " with TLS"
	sub.wrap = func(t testing.TB, ours net.Conn, theirs *net.TCPConn) (net.Conn, peer) {
		t.Helper()
		return handshake(t, ours, theirs, theirs, serverConfig(), clientConfig())
	}
	return sub
}

// tlsPeer is a TLS client over tcp.
type tlsPeer struct {
	*tls.Conn
	tcp net.Conn
}

func (p tlsPeer) CloseWrite() error {
	return errors.Join(p.Conn.CloseWrite(), p.tcp.(*net.TCPConn).CloseWrite())
}

// handshake makes a TLS connection of a plain one; the client's bytes go by
// way of through.
func handshake(t testing.TB, ours, theirs, through net.Conn, server, client *tls.Config) (*TLSConn, tlsPeer) {
	t.Helper()
	s, c := NewTLS(ours, server), tls.Client(through, client)
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { err = s.HandshakeContext(t.Context()) })
	clientErr := c.HandshakeContext(t.Context())
	wg.Wait()
	if err := errors.Join(err, clientErr); err != nil {
		t.Fatal(err)
	}
	return s, tlsPeer{c, theirs}
}

func serverConfig() *tls.Config { return testServer().Clone() }

func clientConfig() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// testServer has a certificate that nobody checks.
var testServer = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})
