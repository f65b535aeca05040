package log_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"selvedge/internal/identity"

	"github.com/nats-io/nats.go"

	corelog "selvedge/core/log"
)

// The one port of a core's log is for the other two cores. Nobody else gets
// further than the TLS handshake, and there is no port for clients.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	c.start(c.names...)
	addr := c.town.addr("a")

	another, err := identity.NewCA(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := identity.IssueNode(another, identity.RoleCore, "b", []string{"127.0.0.1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := identity.NewNode(issued, another.PEM())
	if err != nil {
		t.Fatal(err)
	}
	own := func(role, name string) *tls.Config {
		id, err := identity.DevNode(role, name)
		if err != nil {
			t.Fatal(err)
		}
		return id.ClientTLS()
	}
	trusting := func(cfg *tls.Config) *tls.Config { // of whatever the server shows
		cfg.VerifyConnection, cfg.InsecureSkipVerify = nil, true
		return cfg
	}
	for name, test := range map[string]struct {
		tls *tls.Config // nil = none
		in  bool
	}{
		"the core b":                          {own(identity.RoleCore, "b"), true},
		"no TLS":                              {nil, false},
		"no certificate":                      {trusting(&tls.Config{MinVersion: tls.VersionTLS13}), false},
		"a core b of another CA":              {trusting(foreign.ClientTLS()), false},
		"an edge of the cluster":              {own(identity.RoleEdge, "b"), false},
		"a core that is none of the three":    {own(identity.RoleCore, "d"), false},
		"the core b, by an older TLS version": {old(own(identity.RoleCore, "b")), false},
	} {
		t.Run(name, func(t *testing.T) {
			told, err := knock(t, addr, test.tls)
			if in := strings.HasPrefix(told, "INFO "); in != test.in || !in && told != "" {
				t.Errorf("it says %q, %v", told, err)
			}
		})
	}
	if nc, err := nats.Connect("nats://"+addr, nats.Timeout(time.Second), nats.NoReconnect()); err == nil {
		nc.Close()
		t.Error("a client of NATS gets in at the port of the cores")
	}
	if client := corelog.ClientPort(c.stores["a"]); client != nil {
		t.Errorf("it listens for clients at %v", client)
	}
}

func old(cfg *tls.Config) *tls.Config {
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	return cfg
}

// knock connects to the log of a core as another core does, and returns the first
// that it is told.
func knock(t *testing.T, addr string, cfg *tls.Config) (told string, err error) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if err := nc.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if cfg == nil {
		if _, err := nc.Write([]byte("CONNECT {\"verbose\":false}\r\nPING\r\n")); err != nil {
			return "", err
		}
		return bufio.NewReader(nc).ReadString('\n')
	}
	over := tls.Client(nc, cfg)
	if err := over.Handshake(); err != nil {
		return "", err
	}
	// By TLS 1.3, whether our certificate is good comes with the first answer.
	return bufio.NewReader(over).ReadString('\n')
}
