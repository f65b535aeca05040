package identity

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"selvedge/internal/config"
)

// CertCommand is `selvedge cert`.
type CertCommand struct {
	CA     CertCACommand     `cmd:"" name:"ca" help:"Make the CA of a cluster."`
	Node   CertNodeCommand   `cmd:"" help:"Issue a node's certificate."`
	Rotate CertRotateCommand `cmd:"" help:"Replace a node's certificate and key by new ones; a running node takes them by itself."`
}

// CertCACommand is `selvedge cert ca DIR`.
type CertCACommand struct {
	Dir string        `arg:"" help:"Folder for the CA." placeholder:"DIR"`
	TTL time.Duration `help:"How long the CA is good." default:"87600h"`
}

// Help is the command's long help.
func (*CertCACommand) Help() string {
	return "Example:\n\n  $ selvedge cert ca ./pki\n  ./pki/ca.pem\n  ./pki/ca-key.pem\n\n" +
		"Every node gets ca.pem. Keep ca-key.pem off the nodes: whoever has it can make nodes."
}

// Run makes the CA; it never overwrites one.
func (c *CertCACommand) Run(stdio *config.IO) error {
	ca, err := NewCA(c.TTL)
	if err != nil {
		return err
	}
	if err := ca.Save(c.Dir); err != nil {
		return err
	}
	return printPaths(stdio, filepath.Join(c.Dir, caCertFile), filepath.Join(c.Dir, caKeyFile))
}

// CertNodeCommand is `selvedge cert node DIR`.
type CertNodeCommand struct {
	Dir  string        `arg:"" help:"Folder of the CA; the certificate is written there too." placeholder:"DIR"`
	Role string        `help:"What the node may be: core or edge." enum:"core,edge" required:"" placeholder:"ROLE"`
	Name string        `help:"The node's name, as in --name of the node." required:"" placeholder:"NAME"`
	Host []string      `help:"A host name or address to put into the certificate. Repeatable; links between nodes don't need it." placeholder:"HOST"`
	TTL  time.Duration `help:"How long the certificate is good." default:"8760h"`
}

// Help is the command's long help.
func (*CertNodeCommand) Help() string {
	return "Example:\n\n  $ selvedge cert node ./pki --role edge --name eu1\n  ./pki/edge-eu1.pem\n  ./pki/edge-eu1-key.pem\n\n" +
		"Copy these two and ca.pem to the node. Its metrics tell when the certificate ends."
}

// Run issues the certificate; it never overwrites one.
func (c *CertNodeCommand) Run(stdio *config.IO) error {
	ca, err := LoadCA(c.Dir)
	if err != nil {
		return err
	}
	issued, err := IssueNode(ca, c.Role, c.Name, c.Host, c.TTL)
	if err != nil {
		return err
	}
	files := NodeFilesIn(c.Dir, c.Role, c.Name)
	if err := issued.Save(files); err != nil {
		return err
	}
	return printPaths(stdio, files.Cert, files.Key)
}

// CertRotateCommand is `selvedge cert rotate DIR`.
type CertRotateCommand struct {
	Dir  string        `arg:"" help:"Folder of the CA and of the node's certificate." placeholder:"DIR"`
	Role string        `help:"The node's role: core or edge." enum:"core,edge" required:"" placeholder:"ROLE"`
	Name string        `help:"The node's name." required:"" placeholder:"NAME"`
	TTL  time.Duration `help:"How long the new certificate is good; 0 = as long as the old one was." default:"0s"`
}

// Help is the command's long help.
func (*CertRotateCommand) Help() string {
	return "Example:\n\n  $ selvedge cert rotate ./pki --role edge --name eu1\n  ./pki/edge-eu1.pem\n  ./pki/edge-eu1-key.pem\n\n" +
		"Copy both over the node's: it takes them within 10 seconds, for new links, without a restart."
}

// Run replaces certificate and key; the hosts of the old one stay.
func (c *CertRotateCommand) Run(stdio *config.IO) error {
	ca, err := LoadCA(c.Dir)
	if err != nil {
		return err
	}
	files := NodeFilesIn(c.Dir, c.Role, c.Name)
	old, err := readLeaf(files.Cert)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s doesn't exist: issue it with 'selvedge cert node %s --role %s --name %s'", files.Cert, c.Dir, c.Role, c.Name)
	}
	if err != nil {
		return err
	}
	ttl := c.TTL
	if ttl == 0 {
		ttl = old.NotAfter.Sub(old.NotBefore) - skew
	}
	issued, err := IssueNode(ca, c.Role, c.Name, hostsOf(old), ttl)
	if err != nil {
		return err
	}
	if err := issued.replace(files); err != nil {
		return err
	}
	return printPaths(stdio, files.Cert, files.Key)
}

func readLeaf(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certificate can't be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("certificate %s: it has no PEM certificate", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", path, err)
	}
	return cert, nil
}

func printPaths(stdio *config.IO, paths ...string) error {
	for _, path := range paths {
		if _, err := fmt.Fprintln(stdio.Stdout, path); err != nil {
			return err
		}
	}
	return nil
}
