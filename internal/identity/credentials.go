package identity

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// credentials is what a node shows and whom it trusts, at one moment. Never
// modified.
type credentials struct {
	cert       tls.Certificate
	leaf       *x509.Certificate
	roots      *x509.CertPool
	role, name string
}

// newCredentials checks that certificate, key and CA belong together, now. The
// names of the files are for its errors.
func newCredentials(certPEM, keyPEM, caPEM []byte, files NodeFiles) (*credentials, error) {
	c := &credentials{roots: x509.NewCertPool()}
	if !c.roots.AppendCertsFromPEM(caPEM) {
		return nil, fmt.Errorf("CA %s: it has no PEM certificate", files.CA)
	}
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("certificate %s: it has no PEM certificate", files.Cert)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", files.Cert, err)
	}
	c.leaf = leaf
	if c.cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("certificate %s: key %s: %w", files.Cert, files.Key, keyError(leaf, keyPEM, err))
	}
	if c.role, c.name, err = check(leaf, nil, c.roots, x509.ExtKeyUsageAny); err != nil {
		if errors.Is(err, ErrOtherCA) {
			return nil, fmt.Errorf("certificate %s: %w than %s: issue it again with 'selvedge cert node', or give the CA that signed it", files.Cert, err, files.CA)
		}
		if errors.Is(err, ErrCertExpired) {
			return nil, fmt.Errorf("certificate %s: %w: renew it with 'selvedge cert rotate'", files.Cert, err)
		}
		return nil, fmt.Errorf("certificate %s: %w: issue one with 'selvedge cert node'", files.Cert, err)
	}
	return c, nil
}

// keyError tells a key of another certificate from one that can't be read.
func keyError(leaf *x509.Certificate, keyPEM []byte, err error) error {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return errors.New("it has no PEM key")
	}
	key, parseErr := x509.ParsePKCS8PrivateKey(block.Bytes)
	if parseErr != nil {
		return err
	}
	if private, ok := key.(ed25519.PrivateKey); ok && !private.Public().(ed25519.PublicKey).Equal(leaf.PublicKey) {
		return fmt.Errorf("%w: give the two that were issued together", ErrKeyMismatch)
	}
	return err
}

// check verifies a node's certificate: its time, its CA, and that it names a
// node. Host names aren't looked at: nodes find each other by gossip, and the
// role is what entitles a peer.
func check(leaf *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) (role, name string, err error) {
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return "", "", fmt.Errorf("%w: it is good from %s to %s", ErrCertExpired, day(leaf.NotBefore), day(leaf.NotAfter))
	}
	between := x509.NewCertPool()
	for _, c := range others {
		between.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}})
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return "", "", ErrOtherCA
	}
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "", "", fmt.Errorf("%w: the CA that signed it is out of its time", ErrCertExpired)
	}
	if err != nil {
		return "", "", err
	}
	return nodeOf(leaf)
}
