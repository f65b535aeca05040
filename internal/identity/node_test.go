package identity_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
)

func newCA(t *testing.T) *identity.CA {
	t.Helper()
	ca, err := identity.NewCA(24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *identity.CA, role, name string, ttl time.Duration) identity.Issued {
	t.Helper()
	issued, err := identity.IssueNode(ca, role, name, []string{"10.0.0.1", "node.example"}, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func node(t *testing.T, ca *identity.CA, role, name string) *identity.NodeIdentity {
	t.Helper()
	n, err := identity.NewNode(issue(t, ca, role, name, time.Hour), ca.PEM())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func dev(t *testing.T, role, name string) *identity.NodeIdentity {
	t.Helper()
	n, err := identity.DevNode(role, name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// loopback is a pair of connections with the kernel's buffers between them:
// over net.Pipe, two sides that both refuse would wait for each other.
func loopback(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// handshake connects two configurations and gives what each side thinks of it.
func handshake(t *testing.T, client, server *tls.Config) (c, s tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	a, b := loopback(t)
	done := make(chan struct{})
	cs, ss := tls.Client(a, client), tls.Server(b, server)
	go func() {
		defer close(done)
		if serverErr = ss.Handshake(); serverErr != nil {
			_ = b.Close() // the client's read ends
			return
		}
		_, serverErr = ss.Write([]byte("x"))
	}()
	if clientErr = cs.Handshake(); clientErr == nil {
		// In TLS 1.3 the client learns by its first read that it was refused.
		_, clientErr = io.ReadFull(cs, make([]byte, 1))
	}
	_ = a.Close()
	<-done
	_ = b.Close()
	return cs.ConnectionState(), ss.ConnectionState(), clientErr, serverErr
}

func TestMutualTLS(t *testing.T) {
	ca := newCA(t)
	edge, core := node(t, ca, identity.RoleEdge, "eu1"), node(t, ca, identity.RoleCore, "c1")
	c, s, clientErr, serverErr := handshake(t, edge.ClientTLS(), core.ServerTLS())
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client %v, server %v", clientErr, serverErr)
	}
	if c.Version != tls.VersionTLS13 {
		t.Errorf("version %x", c.Version)
	}
	if role, name, err := identity.PeerName(c); role != "core" || name != "c1" || err != nil {
		t.Errorf("client sees %s %s, %v", role, name, err)
	}
	if role, name, err := identity.PeerName(s); role != "edge" || name != "eu1" || err != nil {
		t.Errorf("server sees %s %s, %v", role, name, err)
	}
	if edge.Role() != "edge" || edge.Name() != "eu1" || time.Until(edge.Expiry()).Round(time.Hour) != time.Hour {
		t.Errorf("%s %s until %s", edge.Role(), edge.Name(), edge.Expiry())
	}
}

func TestPeersThatAreRefused(t *testing.T) {
	ca := newCA(t)
	good, stranger := node(t, ca, "edge", "eu1"), node(t, newCA(t), "core", "c1")
	present := func(cert *tls.Certificate) *tls.Config {
		cfg := good.ClientTLS()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
		return cfg
	}
	tls12 := good.ClientTLS()
	tls12.MinVersion, tls12.MaxVersion = tls.VersionTLS12, tls.VersionTLS12

	t.Run("server refuses", func(t *testing.T) {
		nameless, twoNames, odd := certificateFor(t, ""), certificateFor(t, "selvedge://node/edge/a selvedge://node/core/a"), certificateFor(t, "selvedge://node/king/a")
		devNode := dev(t, "edge", "eu1") // trusts the CA that certificateFor uses
		tests := []struct {
			name   string
			client *tls.Config
			server *identity.NodeIdentity
			want   error
		}{
			{"other CA", stranger.ClientTLS(), good, identity.ErrOtherCA},
			{"no certificate", present(&tls.Certificate{}), good, nil},
			{"no node in it", present(&nameless), devNode, identity.ErrNotNode},
			{"two nodes in it", present(&twoNames), devNode, identity.ErrNotNode},
			{"unknown role", present(&odd), devNode, identity.ErrNotNode},
			{"TLS 1.2", tls12, good, nil},
		}
		for _, tt := range tests {
			client := tt.client.Clone()
			client.VerifyConnection = nil // only the server's opinion counts here
			_, _, clientErr, serverErr := handshake(t, client, tt.server.ServerTLS())
			if serverErr == nil || clientErr == nil || tt.want != nil && !errors.Is(serverErr, tt.want) {
				t.Errorf("%s: client %v, server %v, want %v", tt.name, clientErr, serverErr, tt.want)
			}
		}
	})
	t.Run("client refuses", func(t *testing.T) {
		server := stranger.ServerTLS()
		server.VerifyConnection = nil
		_, _, clientErr, serverErr := handshake(t, good.ClientTLS(), server)
		if !errors.Is(clientErr, identity.ErrOtherCA) || serverErr == nil {
			t.Errorf("client %v, server %v", clientErr, serverErr)
		}
	})
}

func TestPeerExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t)
		short, err := identity.NewNode(issue(t, ca, "edge", "eu1", time.Minute), ca.PEM())
		if err != nil {
			t.Fatal(err)
		}
		core := node(t, ca, "core", "c1")
		if _, _, clientErr, serverErr := handshake(t, short.ClientTLS(), core.ServerTLS()); clientErr != nil || serverErr != nil {
			t.Fatalf("client %v, server %v", clientErr, serverErr)
		}
		time.Sleep(2 * time.Minute)
		if _, _, clientErr, serverErr := handshake(t, short.ClientTLS(), core.ServerTLS()); clientErr == nil || !errors.Is(serverErr, identity.ErrCertExpired) {
			t.Errorf("expired: client %v, server %v", clientErr, serverErr)
		}
	})
}

func TestDevNodesKnowEachOther(t *testing.T) {
	one, err := identity.DevCA()
	if err != nil {
		t.Fatal(err)
	}
	two, err := identity.DevCA()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.PEM(), two.PEM()) {
		t.Error("two processes have two dev CAs")
	}
	connect := func(t *testing.T) {
		if _, _, clientErr, serverErr := handshake(t, dev(t, "edge", "eu-west").ClientTLS(), dev(t, "core", "core").ServerTLS()); clientErr != nil || serverErr != nil {
			t.Errorf("client %v, server %v", clientErr, serverErr)
		}
	}
	connect(t)
	synctest.Test(t, connect) // in the year 2000
}

func TestDevAndRealDoNotMix(t *testing.T) {
	_, _, clientErr, serverErr := handshake(t, dev(t, "edge", "a").ClientTLS(), node(t, newCA(t), "core", "c").ServerTLS())
	if clientErr == nil || serverErr == nil {
		t.Errorf("client %v, server %v", clientErr, serverErr)
	}
}

func TestPeerNameWithoutCertificate(t *testing.T) {
	if _, _, err := identity.PeerName(tls.ConnectionState{}); !errors.Is(err, identity.ErrNotNode) {
		t.Errorf("got %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	ca := newCA(t)
	for _, tt := range []struct{ role, name string }{{"king", "a"}, {"", "a"}, {"edge", ""}, {"edge", "a/b"}, {"edge", "../a"}, {"edge", "ä"}, {"edge", strings.Repeat("a", 64)}} {
		if _, err := identity.IssueNode(ca, tt.role, tt.name, nil, time.Hour); err == nil {
			t.Errorf("%+v gets a certificate", tt)
		}
	}
	if _, err := identity.IssueNode(ca, "edge", "a", nil, 0); err == nil {
		t.Error("an expired certificate is issued")
	}
	n, err := identity.NewNode(issue(t, ca, "edge", "a", 1000*time.Hour), ca.PEM())
	if err != nil || time.Until(n.Expiry()) > 24*time.Hour {
		t.Errorf("a certificate outlives its CA: %v, %v", n, err)
	}
}

// saved writes a CA and a node into a folder.
func saved(t *testing.T, ca *identity.CA, issued identity.Issued) identity.NodeFiles {
	t.Helper()
	dir := t.TempDir()
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	files := identity.NodeFilesIn(dir, "edge", "eu1")
	if err := issued.Save(files); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestLoadNodeSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t)
		mine, other := issue(t, ca, "edge", "eu1", time.Hour), issue(t, ca, "edge", "eu1", time.Hour)
		tests := []struct {
			name   string
			change func(t *testing.T, f *identity.NodeFiles)
			want   string
			is     error
		}{
			{
				"other CA", func(t *testing.T, f *identity.NodeFiles) { f.CA = writeFile(t, "ca.pem", string(newCA(t).PEM())) },
				"certificate CERT: signed by another CA than CA: issue it again with 'selvedge cert node', or give the CA that signed it", identity.ErrOtherCA,
			},
			{
				"key of another", func(t *testing.T, f *identity.NodeFiles) { f.Key = writeFile(t, "k", string(other.Key)) },
				"certificate CERT: key KEY: key belongs to another certificate: give the two that were issued together", identity.ErrKeyMismatch,
			},
			{
				"no key in it", func(t *testing.T, f *identity.NodeFiles) { f.Key = writeFile(t, "k", "hello") },
				"certificate CERT: key KEY: it has no PEM key", nil,
			},
			{
				"no certificate in it", func(t *testing.T, f *identity.NodeFiles) { f.Cert = writeFile(t, "c", "hello") },
				"certificate CERT: it has no PEM certificate", nil,
			},
			{
				"no CA in it", func(t *testing.T, f *identity.NodeFiles) { f.CA = writeFile(t, "c", "hello") },
				"CA CA: it has no PEM certificate", nil,
			},
			{
				"missing", func(_ *testing.T, f *identity.NodeFiles) { f.Cert = "/none/edge.pem" },
				"certificate can't be read: stat /none/edge.pem: no such file or directory", os.ErrNotExist,
			},
			{
				"a folder", func(t *testing.T, f *identity.NodeFiles) { f.Key = t.TempDir() },
				"key can't be read: read KEY: is a directory", nil,
			},
			{"the CA itself", func(_ *testing.T, f *identity.NodeFiles) {
				f.Cert, f.Key = f.CA, filepath.Join(filepath.Dir(f.CA), "ca-key.pem")
			}, "certificate CERT: certificate names no node: it has no URI selvedge://node/<role>/<name>: issue one with 'selvedge cert node'", identity.ErrNotNode},
			{
				"expired", func(_ *testing.T, _ *identity.NodeFiles) { time.Sleep(2 * time.Hour) },
				"certificate CERT: certificate expired or not yet valid: it is good from 1999-12-31 to 2000-01-01: renew it with 'selvedge cert rotate'", identity.ErrCertExpired,
			},
		}
		for _, tt := range tests {
			files := saved(t, ca, mine)
			tt.change(t, &files)
			_, err := identity.LoadNode(files, nil)
			want := strings.NewReplacer("CERT", files.Cert, "KEY", files.Key, "CA CA", "CA "+files.CA, "than CA", "than "+files.CA).Replace(tt.want)
			if err == nil || err.Error() != want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%s:\n got %v\nwant %s", tt.name, err, want)
			}
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t)
		files := saved(t, ca, issue(t, ca, "edge", "eu1", time.Hour))
		var log bytes.Buffer
		n, err := identity.LoadNode(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		first := n.Expiry()
		put := func(issued identity.Issued) {
			t.Helper()
			for path, text := range map[string][]byte{files.Cert: issued.Cert, files.Key: issued.Key} {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
				// The file system's clock is not the test's.
				if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		put(issue(t, ca, "edge", "eu1", 2*time.Hour))
		time.Sleep(9 * time.Second)
		if !n.Expiry().Equal(first) {
			t.Error("the files are looked at more often than every 10 s")
		}
		time.Sleep(time.Second)
		second := n.Expiry()
		if second.Sub(first) != time.Hour {
			t.Errorf("expiry moved by %s", second.Sub(first))
		}
		core := node(t, ca, "core", "c1")
		_, state, clientErr, serverErr := handshake(t, n.ClientTLS(), core.ServerTLS())
		if clientErr != nil || serverErr != nil || !state.PeerCertificates[0].NotAfter.Equal(second) {
			t.Errorf("after reload: client %v, server %v", clientErr, serverErr)
		}
		// What doesn't fit is not taken, and said once.
		log.Reset()
		bad := issue(t, ca, "edge", "eu1", 3*time.Hour)
		bad.Key = issue(t, ca, "edge", "eu1", 3*time.Hour).Key
		put(bad)
		for range 3 {
			time.Sleep(10 * time.Second)
			if !n.Expiry().Equal(second) {
				t.Error("a certificate without its key is taken")
			}
		}
		put(issue(t, ca, "edge", "eu2", 4*time.Hour))
		time.Sleep(10 * time.Second)
		if !n.Expiry().Equal(second) || n.Name() != "eu1" {
			t.Error("the certificate of another node is taken")
		}
		if got := strings.Count(log.String(), "not taken"); got != 2 {
			t.Errorf("%d warnings:\n%s", got, log.String())
		}
		put(issue(t, ca, "edge", "eu1", 5*time.Hour))
		time.Sleep(10 * time.Second)
		if !n.Expiry().After(second) {
			t.Error("after a bad pair, a good one is not taken")
		}
	})
}

func TestCAIsReplacedWithoutRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		oldCA, nextCA := newCA(t), newCA(t)
		files := saved(t, oldCA, issue(t, oldCA, "edge", "eu1", time.Hour))
		n, err := identity.LoadNode(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		client, peer := n.ClientTLS(), node(t, nextCA, "core", "c1").ServerTLS()
		peer.VerifyConnection = nil
		if _, _, err, _ := handshake(t, client, peer); !errors.Is(err, identity.ErrOtherCA) {
			t.Fatalf("before: %v", err)
		}
		if err := os.WriteFile(files.CA, append(oldCA.PEM(), nextCA.PEM()...), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, _, err, _ := handshake(t, client, peer); err != nil {
			t.Errorf("after: %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	n := dev(t, "core", "c1")
	server := n.ServerTLS()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = n.Expiry()
		}
	}()
	for range 20 {
		if _, _, c, s := handshake(t, n.ClientTLS(), server); c != nil || s != nil {
			t.Errorf("client %v, server %v", c, s)
		}
	}
	cancel()
	<-done
}

func leafOf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
