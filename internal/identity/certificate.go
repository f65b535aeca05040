package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Roles that a node's certificate can say.
const (
	RoleCore = "core"
	RoleEdge = "edge"
)

const (
	uriScheme = "selvedge"
	uriHost   = "node"
	dnsName   = "selvedge" // the name that every node's certificate has
	skew      = 5 * time.Minute

	nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
)

// Errors of certificates.
var (
	// ErrNotNode: a certificate doesn't say of which role and name its node is.
	ErrNotNode = errors.New("certificate names no node")
	// ErrOtherCA: a certificate is signed by a CA that is not ours.
	ErrOtherCA = errors.New("signed by another CA")
	// ErrCertExpired: a certificate's time is over, or has not come.
	ErrCertExpired = errors.New("certificate expired or not yet valid")
	// ErrKeyMismatch: a key file holds the key of another certificate.
	ErrKeyMismatch = errors.New("key belongs to another certificate")
)

// CA signs the certificates of a cluster's nodes.
type CA struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

// NewCA makes a CA with a key of its own, valid from now on for ttl.
func NewCA(ttl time.Duration) (*CA, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return newCA("selvedge CA", key, serial, now.Add(-skew), now.Add(ttl))
}

// DevCA is the CA of --dev. It is the same in every process, and its key is
// public: it keeps nobody out. It is valid from 1999 on, so that simulated
// clocks, which begin in 2000, accept it.
func DevCA() (*CA, error) {
	seed := sha256.Sum256([]byte(devSeed))
	from, until := devTimes()
	return newCA("selvedge dev CA", ed25519.NewKeyFromSeed(seed[:]), big.NewInt(1), from, until)
}

func devTimes() (from, until time.Time) {
	return time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
}

func newCA(name string, key ed25519.PrivateKey, serial *big.Int, from, until time.Time) (*CA, error) {
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return &CA{cert: cert, key: key}, nil
}

// PEM is the CA's certificate: what nodes need to know each other.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// KeyPEM is the CA's private key: what signs. It stays off the nodes.
func (ca *CA) KeyPEM() ([]byte, error) { return keyPEM(ca.key) }

// Issued is a node's new certificate and private key, both as PEM.
type Issued struct {
	Cert []byte
	Key  []byte
}

// IssueNode makes a key and a certificate for the node of that role and name,
// valid for ttl, but not longer than the CA. Hosts are further names and
// addresses for the certificate; links between nodes don't look at them.
func IssueNode(ca *CA, role, name string, hosts []string, ttl time.Duration) (Issued, error) {
	now := time.Now()
	return issue(ca, role, name, hosts, now.Add(-skew), now.Add(ttl))
}

func issue(ca *CA, role, name string, hosts []string, from, until time.Time) (Issued, error) {
	if err := checkNode(role, name); err != nil {
		return Issued{}, err
	}
	if now := time.Now(); now.After(ca.cert.NotAfter) {
		return Issued{}, fmt.Errorf("the CA expired on %s: make a new one with 'selvedge cert ca'", day(ca.cert.NotAfter))
	} else if !until.After(now) {
		return Issued{}, fmt.Errorf("a certificate that ends %s is no use: choose a longer --ttl", day(until))
	}
	if until.After(ca.cert.NotAfter) {
		until = ca.cert.NotAfter
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Issued{}, fmt.Errorf("make key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return Issued{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: role + " " + name},
		NotBefore:    from,
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{{Scheme: uriScheme, Host: uriHost, Path: "/" + role + "/" + name}},
		DNSNames:     []string{dnsName},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host != dnsName {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key)
	if err != nil {
		return Issued{}, fmt.Errorf("issue certificate for %s %s: %w", role, name, err)
	}
	key, err := keyPEM(private)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: key}, nil
}

// nodeOf reads the role and name that a certificate says: it has exactly one URI
// selvedge://node/<role>/<name>.
func nodeOf(cert *x509.Certificate) (role, name string, err error) {
	for _, u := range cert.URIs {
		if u.Scheme != uriScheme || u.Host != uriHost {
			continue
		}
		if role != "" {
			return "", "", fmt.Errorf("%w: it names several", ErrNotNode)
		}
		role, name, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		if err := checkNode(role, name); err != nil {
			return "", "", fmt.Errorf("%w: %w", ErrNotNode, err)
		}
	}
	if role == "" {
		return "", "", fmt.Errorf("%w: it has no URI %s://%s/<role>/<name>", ErrNotNode, uriScheme, uriHost)
	}
	return role, name, nil
}

// checkNode keeps names to what is also good as a file name and in a URL.
func checkNode(role, name string) error {
	if role != RoleCore && role != RoleEdge {
		return fmt.Errorf("role %q is unknown: use core or edge", role)
	}
	if name == "" || len(name) > 63 || name[0] == '.' || name[0] == '-' || strings.Trim(name, nameLetters) != "" {
		return fmt.Errorf("node name %q: use 1 to 63 letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

func keyPEM(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return serial, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// hostsOf is what IssueNode was given as hosts.
func hostsOf(cert *x509.Certificate) []string {
	hosts := slices.DeleteFunc(slices.Clone(cert.DNSNames), func(s string) bool { return s == dnsName })
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}
