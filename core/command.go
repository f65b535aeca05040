package core

import (
	"context"
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

	Data        string        `help:"Folder that holds the logs; made if missing." default:"selvedge-data" type:"path"`
	Log         string        `help:"Where the logs are: embedded in this process." enum:"embedded" default:"embedded"`
	Logs        int           `help:"How many frame logs the cluster has; fixed by the first start. 0 = what the folder has, 16 in a new one." default:"0"`
	Sync        string        `help:"What an acknowledged record survives: default = a killed process; always = a power loss, at half a millisecond each." enum:"default,always" default:"default"`
	KeepAge     time.Duration `help:"Frames older than this are dropped." default:"168h"`
	KeepBytes   int64         `help:"The oldest frames of a log above this size are dropped." default:"17179869184"`
	DedupWindow time.Duration `help:"How long idempotency ids are remembered, up to 24h." default:"2m"`

	APIKeys string `help:"File of API keys, one NAME:KEY a line." placeholder:"FILE" name:"api-keys"`
}

// Help teaches the command.
func (*Command) Help() string {
	return `A core orders and keeps what backends publish, and feeds the edges. Its logs are in --data: nothing else is installed.

On one machine, with development keys:
  selvedge core --dev
  selvedge edge --dev --join 127.0.0.1:7402 --region eu-west
  curl -H 'Authorization: Bearer dev' -d '{"channel":"topic:news","data":{"text":"hi"}}' http://127.0.0.1:7400/v1/publish`
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
	logger, err := c.Logger(stdio.Stderr)
	if err != nil {
		return Config{}, err
	}
	place, err := c.Place()
	if err != nil {
		return Config{}, err
	}
	if err := c.Bind(
		node.Listen{Flag: "api-addr", Addr: &c.APIAddr}, node.Listen{Flag: "link-addr", Addr: &c.LinkAddr},
		node.Listen{Flag: "gossip-addr", Addr: &c.GossipAddr}, node.Listen{Flag: "admin-addr", Addr: &c.AdminAddr},
	); err != nil {
		return Config{}, err
	}
	name := c.NodeName("core", c.APIAddr)
	keys, err := c.Keys("core", name)
	if err != nil {
		return Config{}, err
	}
	name = keys.Identity.Name()
	seeds, err := c.Seeds()
	if err != nil {
		return Config{}, err
	}
	apiKeys, err := c.apiKeys()
	if err != nil {
		return Config{}, err
	}
	return Config{
		Name: name, Region: place, Zone: c.Zone, Keys: keys, APIKeys: apiKeys, Seeds: seeds,
		Build: config.ReadBuild(), Logger: logger.With("node", name),
		APIAddr: c.APIAddr, LinkAddr: c.LinkAddr, GossipAddr: c.GossipAddr, AdminAddr: c.AdminAddr, Reachable: c.Reachable,
		Log: corelog.Config{
			Dir: c.Data, Logs: c.Logs, Sync: corelog.Sync(c.Sync), MaxAge: c.KeepAge, MaxBytes: c.KeepBytes, DedupWindow: c.DedupWindow,
		},
	}, nil
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
