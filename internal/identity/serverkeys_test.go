package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
)

// serverPair is a certificate for 127.0.0.1 that is good for ttl, and its key.
func serverPair(t *testing.T, ttl time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(ttl),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// put writes a pair, at a later moment than the last: of the test's time, the
// file system's clock is another.
func put(t *testing.T, f identity.ServerFiles, cert, key []byte) {
	t.Helper()
	time.Sleep(time.Nanosecond)
	for path, text := range map[string][]byte{f.Cert: cert, f.Key: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func serverFiles(t *testing.T) identity.ServerFiles {
	dir := t.TempDir()
	return identity.ServerFiles{Cert: filepath.Join(dir, "tls.pem"), Key: filepath.Join(dir, "tls-key.pem")}
}

// shown is the end of the certificate that a client sees.
func shown(t *testing.T, k *identity.ServerKeys) time.Time {
	t.Helper()
	state, _, clientErr, serverErr := handshake(t, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}, k.TLS())
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client %v, server %v", clientErr, serverErr)
	}
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("protocol %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].NotAfter
}

func TestLoadServerSaysWhatIsWrong(t *testing.T) {
	cert, key := serverPair(t, time.Hour)
	_, otherKey := serverPair(t, time.Hour)
	expired, expiredKey := serverPair(t, -time.Second)
	for _, tt := range []struct {
		name      string
		cert, key []byte
		want      string // CERT and KEY stand for the files
		is        error
	}{
		{"no certificate", nil, key, "server certificate can't be read: stat CERT: no such file or directory", os.ErrNotExist},
		{"no key", cert, nil, "server certificate can't be read: stat KEY: no such file or directory", os.ErrNotExist},
		{"no certificate in it", []byte("hello"), key, "server certificate CERT: it has no PEM certificate", nil},
		{"a key in its place", key, key, "server certificate CERT: it has no PEM certificate", nil},
		{"no key in it", cert, []byte("hello"), "server certificate CERT: key KEY: it has no PEM key", nil},
		{"a torn certificate", []byte("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"), key, "server certificate CERT: key KEY: x509: malformed certificate", nil},
		{"key of another", cert, otherKey, "server certificate CERT: key KEY: tls: private key does not match public key", nil},
		{"expired", expired, expiredKey, "server certificate CERT: certificate expired or not yet valid: it is good from ", identity.ErrCertExpired},
	} {
		files := serverFiles(t)
		for path, text := range map[string][]byte{files.Cert: tt.cert, files.Key: tt.key} {
			if text == nil {
				continue
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := identity.LoadServer(files, nil)
		want := strings.NewReplacer("CERT", files.Cert, "KEY", files.Key).Replace(tt.want)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, want)
		}
	}
}

func TestServerKeysAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := serverFiles(t)
		cert, key := serverPair(t, time.Hour)
		put(t, files, cert, key)
		var log bytes.Buffer
		k, err := identity.LoadServer(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		first := shown(t, k)
		cert, key = serverPair(t, 2*time.Hour)
		put(t, files, cert, key)
		time.Sleep(9 * time.Second)
		if !shown(t, k).Equal(first) {
			t.Error("the files are looked at more often than every 10 s")
		}
		time.Sleep(time.Second)
		second := shown(t, k)
		if d := second.Sub(first); d < time.Hour || !k.Expiry().Equal(second) {
			t.Errorf("the expiry moved by %s, told is %s", d, k.Expiry())
		}
		// What doesn't fit is not taken, and said once.
		log.Reset()
		_, other := serverPair(t, time.Hour)
		put(t, files, cert, other)
		for range 3 {
			time.Sleep(10 * time.Second)
			if !shown(t, k).Equal(second) {
				t.Error("a certificate without its key is taken")
			}
		}
		if err := os.Remove(files.Key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if !shown(t, k).Equal(second) {
			t.Error("without its files the server has no certificate")
		}
		if got := strings.Count(log.String(), "not taken"); got != 2 {
			t.Errorf("%d warnings:\n%s", got, log.String())
		}
		cert, key = serverPair(t, 5*time.Hour)
		put(t, files, cert, key)
		time.Sleep(10 * time.Second)
		if !shown(t, k).After(second) {
			t.Error("after a bad pair, a good one is not taken")
		}
	})
}

func TestServerKeysAndOldTLS(t *testing.T) {
	files := serverFiles(t)
	cert, key := serverPair(t, time.Hour)
	for path, text := range map[string][]byte{files.Cert: cert, files.Key: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := identity.LoadServer(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, _, clientErr, serverErr := handshake(t, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}, k.TLS())
		if (clientErr == nil && serverErr == nil) != good {
			t.Errorf("version %x: client %v, server %v", version, clientErr, serverErr)
		}
	}
}
