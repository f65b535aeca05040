package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
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
type ServerKeys struct {
	// fixed
	files  ServerFiles
	logger *slog.Logger

	mu      sync.Mutex
	now     *tls.Certificate // guarded by mu; never modified, with Leaf
	checked time.Time        // guarded by mu; last look at the files
	stamp   fileStamp        // guarded by mu; of the files last read, good or not
}

// LoadServer reads a server's keys from files. The error is one line that names
// the file and what is wrong with it. A nil logger is silence.
func LoadServer(files ServerFiles, logger *slog.Logger) (*ServerKeys, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	k := &ServerKeys{files: files, logger: logger, checked: time.Now()}
	var err error
	if k.stamp, err = files.stamp(); err != nil {
		return nil, err
	}
	if k.now, err = files.read(); err != nil {
		return nil, err
	}
	return k, nil
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

// current gives the certificate, read anew if the files changed.
func (k *ServerKeys) current() *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.checked) >= reloadInterval {
		k.checked = now
		k.reloadLocked()
	}
	return k.now
}

func (k *ServerKeys) reloadLocked() {
	stamp, err := k.files.stamp()
	if err == nil && stamp == k.stamp {
		return
	}
	var c *tls.Certificate
	if err == nil {
		c, err = k.files.read()
	}
	k.stamp = stamp
	if err != nil {
		// Once per change of the files, unless they are gone.
		k.logger.Warn("new server certificate not taken, the old one stays in use", "error", err)
		return
	}
	k.now = c
	k.logger.Info("server certificate reloaded", "file", k.files.Cert, "expires", c.Leaf.NotAfter)
}

func (f ServerFiles) stamp() (fileStamp, error) {
	stamp, err := stampOf(f.Cert, f.Key)
	if err != nil {
		return stamp, fmt.Errorf("server certificate can't be read: %w", err)
	}
	return stamp, nil
}

// read checks that certificate and key belong together, now.
func (f ServerFiles) read() (*tls.Certificate, error) {
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
