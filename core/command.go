package core

import (
	"context"
	"net/url"
	"strings"
	"time"

	corelog "selvedge/core/log"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
)

// Command is `selvedge core`.
type Command struct {
	node.Flags

	APIAddr    string `help:"The HTTP API for backends." default:"127.0.0.1:7400" name:"api-addr"`
	LinkAddr   string `help:"UDP address of links." default:":7401"`
	GossipAddr string `help:"TCP and UDP address of gossip." default:":7402"`
	AdminAddr  string `help:"Console, metrics, health and profiles." default:"127.0.0.1:7403"`

	LogAddr string `help:"TCP address of the log, for the other cores; with --replicas 3." default:":7404"`

	Data           string `help:"Folder that holds the logs; made if missing." default:"selvedge-data" type:"path"`
	Log            string `help:"Where the logs are: embedded in the cores, or the URLs of an external NATS, as nats://HOST:PORT[,…] or tls://." default:"embedded"`
	LogCredentials string `help:"File of NATS credentials for an external --log." placeholder:"FILE"`
	Replicas       int    `help:"Copies of each log: 1, or 3 = on three cores, which form a cluster by themselves. Fixed by the first start." enum:"1,3" default:"1"`

	Logs        int           `help:"How many frame logs the cluster has; fixed by the first start. 0 = what the folder has, 16 in a new one." default:"0"`
	Sync        string        `help:"What an acknowledged record survives: default = a killed process; always = a power loss, at half a millisecond each." enum:"default,always" default:"default"`
	KeepAge     time.Duration `help:"Frames older than this are dropped." default:"168h"`
	KeepBytes   int64         `help:"The oldest frames of a log above this size are dropped." default:"17179869184"`
	DedupWindow time.Duration `help:"How long idempotency ids are remembered, up to 24h." default:"2m"`

	Drain time.Duration `help:"When told to stop: how long edges are given to take their logs from other cores, if there are any. 0 = none." default:"5s"`

	APIKeys string `help:"File of API keys, one NAME:KEY a line." placeholder:"FILE" name:"api-keys"`
}

// Help teaches the command.
func (*Command) Help() string {
	return `A core orders and keeps what backends publish, and feeds the edges. Its logs are in --data: nothing else is installed.
With --replicas 3, three cores keep three copies, and one of them may go: each needs --join to another.
Told to stop (SIGTERM, SIGINT), it waits until the edges take their logs from other cores. Told twice, it ends at once.

On one machine, with development keys:
  selvedge core --dev
  selvedge edge --dev --join 127.0.0.1:7402 --region eu-west
  curl -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' -d '{"channel":"topic:news","data":{"text":"hi"}}' http://127.0.0.1:7400/v1/publish`
}

// Run runs the core until it is told to stop.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	cfg, err := c.config(stdio)
	if err != nil {
		return err
	}
	return Run(ctx, cfg)
}

func (c *Command) config(stdio *config.IO) (Config, error) {
	if c.Drain < 0 {
		return Config{}, config.Usagef("--drain %s: use a positive time, or 0 to close all links at once", c.Drain)
	}
	servers, err := c.logServers()
	if err != nil {
		return Config{}, err
	}
	own, err := c.Settings(
		"core", stdio.Stderr,
		node.Listen{Flag: "api-addr", Addr: &c.APIAddr}, node.Listen{Flag: "link-addr", Addr: &c.LinkAddr},
		node.Listen{Flag: "gossip-addr", Addr: &c.GossipAddr}, node.Listen{Flag: "admin-addr", Addr: &c.AdminAddr},
		node.Listen{Flag: "log-addr", Addr: &c.LogAddr},
	)
	if err != nil {
		return Config{}, err
	}
	apiKeys, err := c.apiKeys()
	if err != nil {
		return Config{}, err
	}
	return Config{
		Name: own.Name, Region: own.Region, Zone: c.Zone, Keys: own.Keys, APIKeys: apiKeys, Seeds: own.Seeds, Cluster: c.Cluster, GossipTiming: own.Gossip,
		Build: config.ReadBuild(), Logger: own.Logger,
		APIAddr: c.APIAddr, LinkAddr: c.LinkAddr, GossipAddr: c.GossipAddr, AdminAddr: c.AdminAddr, LogAddr: c.LogAddr, Reachable: c.Reachable,
		Drain: c.Drain,
		Log: corelog.Config{
			Dir: c.Data, Logs: c.Logs, Sync: corelog.Sync(c.Sync), MaxAge: c.KeepAge, MaxBytes: c.KeepBytes, DedupWindow: c.DedupWindow,
			Replicas: c.Replicas, Servers: servers, Credentials: c.LogCredentials,
		},
	}, nil
}

// logServers are the URLs of --log, none if it is embedded.
func (c *Command) logServers() ([]string, error) {
	if c.Log == "embedded" {
		if c.LogCredentials != "" {
			return nil, config.Usagef("--log-credentials is for an external --log: leave it out, or name one as --log nats://HOST:PORT")
		}
		return nil, nil
	}
	servers := strings.Split(c.Log, ",")
	for _, s := range servers {
		if u, err := url.Parse(s); err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Host == "" {
			return nil, config.Usagef("--log %q: use embedded, or the URLs of a NATS: nats://HOST:PORT[,…] or tls://HOST:PORT[,…]", c.Log)
		}
	}
	return servers, nil
}

func (c *Command) apiKeys() (*identity.APIKeys, error) {
	switch {
	case c.Dev && c.APIKeys == "":
		return identity.DevAPIKeys(), nil
	case c.APIKeys == "":
		return nil, config.Usagef("--api-keys is needed: a file with one NAME:KEY a line, or --dev on loopback")
	}
	return identity.LoadAPIKeys(c.APIKeys)
}
