package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// ServerFiles are the paths of a public server's PEM files.
type ServerFiles struct {
	Cert string // the certificate, followed by those that lead to its CA
	Key  string // its private key
}

// ServerKeys are what a server proves itself with to the public. When the files
// change they are taken for the next handshake, without a restart; files that
// don't fit together are logged and not taken. Safe for concurrent use.
type ServerKeys struct{ *reloaded[*tls.Certificate] }

// LoadServer reads a server's keys from files. The error is one line that names
// the file and what is wrong with it. A nil logger is silence.
func LoadServer(files ServerFiles, logger *slog.Logger) (*ServerKeys, error) {
	c, err := load(source[*tls.Certificate]{
		what: "server certificate", files: []string{files.Cert, files.Key}, read: files.read,
		about: func(c *tls.Certificate) slog.Attr { return slog.Time("expires", c.Leaf.NotAfter) },
	}, logger)
	if err != nil {
		return nil, err
	}
	return &ServerKeys{c}, nil
}

// TLS is for servers of HTTP/1.1 and WebSockets: TLS 1.2 or newer, with session
// tickets, which a client that comes back saves a signature with.
func (k *ServerKeys) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current(), nil },
		// Small records at first would help a page that is shown as it comes;
		// here they would cost bytes, and time to seal them.
		DynamicRecordSizingDisabled: true,
	}
}

// Expiry is when the certificate in use ends.
func (k *ServerKeys) Expiry() time.Time { return k.current().Leaf.NotAfter }

// read checks that certificate and key belong together, now.
func (f ServerFiles) read(*tls.Certificate) (*tls.Certificate, error) {
	certPEM, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, fmt.Errorf("server certificate can't be read: %w", err)
	}
	keyPEM, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("key of the server certificate can't be read: %w", err)
	}
	if !hasBlock(certPEM, "CERTIFICATE") {
		return nil, fmt.Errorf("server certificate %s: it has no PEM certificate", f.Cert)
	}
	c, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		if block, _ := pem.Decode(keyPEM); block == nil {
			err = errors.New("it has no PEM key")
		}
		return nil, fmt.Errorf("server certificate %s: key %s: %w", f.Cert, f.Key, err)
	}
	if c.Leaf == nil { // as a setting of Go's runtime has it
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("server certificate %s: %w", f.Cert, err)
		}
	}
	if now := time.Now(); now.After(c.Leaf.NotAfter) || now.Before(c.Leaf.NotBefore) {
		return nil, fmt.Errorf("server certificate %s: %w: it is good from %s to %s", f.Cert, ErrCertExpired, day(c.Leaf.NotBefore), day(c.Leaf.NotAfter))
	}
	return &c, nil
}

// hasBlock says whether PEM text has a block of a type.
func hasBlock(text []byte, kind string) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if block.Type == kind {
			return true
		}
	}
}
