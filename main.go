// Selvedge is an edge tier for real-time applications: a core orders and keeps
// what backends publish, and edges near the users hold their sockets.
//
// This file is the binary's table of contents.
package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"

	"selvedge/core"
	backend "selvedge/core/client"
	"selvedge/core/steer"
	"selvedge/core/top"
	"selvedge/edge"
	"selvedge/edge/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/bench"
	"selvedge/simulations/dev"
	"selvedge/simulations/simulate"
)

type commands struct {
	Dev     dev.Command            `cmd:"" help:"Run a whole cluster on this machine: a core, three edges, a demo page."`
	Core    core.Command           `cmd:"" help:"Run a core: it orders and keeps what backends publish."`
	Edge    edge.Command           `cmd:"" help:"Run an edge: it holds the sockets of the clients near it."`
	Publish backend.PublishCommand `cmd:"" help:"Publish to a channel."`
	Listen  client.ListenCommand   `cmd:"" help:"Print what a user receives, a JSON line per frame."`
	Top     top.Command            `cmd:"" help:"Watch a running cluster: nodes, load, links, relays."`
	Drain   steer.Command          `cmd:"" help:"Have a node drain and leave."`
	Bench   bench.Command          `cmd:"" help:"Measure one thing, and print a table."`
	Simul   simulate.Command       `cmd:"" name:"simulate" help:"Play a cluster in virtual time, and write a report with pictures."`
	Token   identity.TokenCommand  `cmd:"" help:"Make a client token."`
	Cert    identity.CertCommand   `cmd:"" help:"Make the certificates of a cluster."`
	Conf    config.ConfigCommand   `cmd:"" name:"config" help:"Check a config file, or print every setting."`
	Version config.VersionCommand  `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(config.Main(config.Signalled(context.Background()), os.Args[1:], config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, new(commands),
		kong.Description("An edge tier for real-time applications: message once per region, sockets next door."),
		kong.Vars{"transport": edge.DefaultTransport()}))
}
