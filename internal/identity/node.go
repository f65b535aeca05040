package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// NodeFiles are the paths of a node's PEM files.
type NodeFiles struct {
	Cert string // the node's certificate
	Key  string // its private key
	CA   string // the cluster's CA; several while it is being replaced
}

// NodeIdentity is what a node shows to others and how it checks them. When its
// files change it takes the new ones for the next handshake, without a restart;
// files that don't fit together are logged and not taken. Safe for concurrent use.
type NodeIdentity struct{ *reloaded[*credentials] }

// LoadNode reads a node's identity from files. The error is one line that names
// the file and what is wrong with it. A nil logger is silence.
func LoadNode(files NodeFiles, logger *slog.Logger) (*NodeIdentity, error) {
	c, err := load(source[*credentials]{
		what: "certificate", files: []string{files.Cert, files.Key, files.CA}, read: files.read,
		about: func(c *credentials) slog.Attr { return slog.Time("expires", c.leaf.NotAfter) },
	}, logger)
	if err != nil {
		return nil, err
	}
	return &NodeIdentity{c}, nil
}

// NewNode is an identity in memory, from PEM.
func NewNode(issued Issued, ca []byte) (*NodeIdentity, error) {
	c, err := newCredentials(issued.Cert, issued.Key, ca, NodeFiles{Cert: "given", Key: "given", CA: "given"})
	if err != nil {
		return nil, err
	}
	return &NodeIdentity{given(c)}, nil
}

// DevNode is an identity signed by DevCA.
func DevNode(role, name string) (*NodeIdentity, error) {
	ca, err := DevCA()
	if err != nil {
		return nil, err
	}
	from, until := devTimes()
	issued, err := issue(ca, role, name, nil, from, until)
	if err != nil {
		return nil, err
	}
	return NewNode(issued, ca.PEM())
}

// Role is RoleCore or RoleEdge.
func (n *NodeIdentity) Role() string { return n.current().role }

// Name is the node's name.
func (n *NodeIdentity) Name() string { return n.current().name }

// Expiry is when the certificate in use ends; for selvedge_cert_expiry_timestamp_seconds.
func (n *NodeIdentity) Expiry() time.Time { return n.current().leaf.NotAfter }

// ServerTLS accepts peers that show a certificate of our CA which names a node.
// TLS 1.3; NextProtos is left to the caller.
func (n *NodeIdentity) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &n.current().cert, nil
		},
		// The check is ours, below: the CA may change while we run.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: n.verify(x509.ExtKeyUsageClientAuth),
		// Links live long; a ticket would outlive a withdrawn CA.
		SessionTicketsDisabled: true,
	}
}

// ClientTLS connects to peers that show a certificate of our CA which names a
// node, whatever their address. TLS 1.3; NextProtos is left to the caller.
func (n *NodeIdentity) ClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: dnsName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &n.current().cert, nil
		},
		// The standard check wants a host name, and has a fixed set of CAs.
		// VerifyConnection does the whole check instead.
		InsecureSkipVerify: true,
		VerifyConnection:   n.verify(x509.ExtKeyUsageServerAuth),
	}
}

func (n *NodeIdentity) verify(usage x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the peer shows no certificate")
		}
		leaf := state.PeerCertificates[0]
		if _, _, err := check(leaf, state.PeerCertificates[1:], n.current().roots, usage); err != nil {
			return fmt.Errorf("peer's certificate %q: %w", leaf.Subject.CommonName, err)
		}
		return nil
	}
}

// PeerName gives the role and name of the node at the other end of a connection
// made with ServerTLS or ClientTLS. The error wraps ErrNotNode.
func PeerName(state tls.ConnectionState) (role, name string, err error) {
	if len(state.PeerCertificates) == 0 {
		return "", "", fmt.Errorf("%w: the peer shows none", ErrNotNode)
	}
	return nodeOf(state.PeerCertificates[0])
}

// read reads what belongs to the node of now, or to any if that is nil.
func (f NodeFiles) read(now *credentials) (*credentials, error) {
	c, err := readCredentials(f)
	if err == nil && now != nil && (c.role != now.role || c.name != now.name) {
		return nil, fmt.Errorf("certificate %s is for %s %s, this node is %s %s", f.Cert, c.role, c.name, now.role, now.name)
	}
	return c, err
}

func readCredentials(files NodeFiles) (*credentials, error) {
	certPEM, err := os.ReadFile(files.Cert)
	if err != nil {
		return nil, fmt.Errorf("certificate can't be read: %w", err)
	}
	keyPEM, err := os.ReadFile(files.Key)
	if err != nil {
		return nil, fmt.Errorf("key can't be read: %w", err)
	}
	caPEM, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, fmt.Errorf("CA can't be read: %w", err)
	}
	return newCredentials(certPEM, keyPEM, caPEM, files)
}
