package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"selvedge/internal/config"
	"selvedge/internal/telemetry"
	"selvedge/topology/region"
)

// Command is `selvedge dev`.
type Command struct {
	Edges   []string `help:"Regions of the edges, at most nine." default:"us-east,eu-west,ap-southeast"`
	Core    string   `help:"Region of the core." default:"us-east"`
	Latency string   `help:"Delay the links as the oceans between the regions do, or not." enum:"real,none" default:"real"`
	Data    string   `help:"Folder that holds the logs. Default: a temporary one that goes with the process." type:"path" placeholder:"DIR"`

	LogFormat string `help:"How log lines are written." enum:"text,json" default:"text"`
	LogLevel  string `help:"The least level that is logged." enum:"debug,info,warn,error" default:"warn"`
}

// Help teaches the command.
func (*Command) Help() string {
	return `A whole cluster on this machine: a core and three edges, with the latency between their regions injected on the links, a demo page and a console.

  selvedge dev                                    then open http://127.0.0.1:7400 twice, in two regions
  selvedge listen --dev --user u1                 in another terminal: what user u1 receives
  selvedge publish --dev room:general '{"text":"hi"}'`
}

// Run runs the cluster until it is told to stop.
func (c *Command) Run(ctx context.Context, stdio *config.IO) (err error) {
	logger, err := telemetry.NewLogger(stdio.Stderr, c.LogFormat, c.LogLevel)
	if err != nil {
		return err
	}
	core, err := region.Parse(c.Core)
	if err != nil {
		return config.Usagef("--core: %w", err)
	}
	cfg := Config{Core: core, Data: c.Data, Delay: c.Latency == "real", Logger: logger, Out: stdio.Stdout}
	if len(c.Edges) == 0 || len(c.Edges) > maxEdges {
		return config.Usagef("--edges: name 1 to %d regions, such as us-east,eu-west", maxEdges)
	}
	for _, name := range c.Edges {
		r, err := region.Parse(strings.TrimSpace(name))
		if err != nil {
			return config.Usagef("--edges: %w", err)
		}
		cfg.Edges = append(cfg.Edges, r)
	}
	if cfg.Data == "" {
		if cfg.Data, err = os.MkdirTemp("", "selvedge-dev-"); err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Data)) }()
	}
	return Run(ctx, cfg)
}
