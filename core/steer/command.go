package steer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/topology"
	"selvedge/wire"
)

const (
	// lookEvery paces the look at how far the node is.
	lookEvery = 500 * time.Millisecond
	// orderTime bounds the order: a core asks the others for at most 3 s, and waits for
	// 5 s until the node says that it drains.
	orderTime = 15 * time.Second
)

// Command is `selvedge drain`.
type Command struct {
	Node string `arg:"" help:"The node: a core's or an edge's name, as 'selvedge top' shows it."`

	Core    []string      `default:"http://127.0.0.1:7400" placeholder:"URL" help:"API of a core: any of the cluster. With several, the next one is asked when one does not answer."`
	Key     string        `placeholder:"KEY" help:"API key."`
	Dev     bool          `help:"Use the key of a core that runs with --dev."`
	Force   bool          `help:"Also if the node is needed: no other edge of its region is ready, or it is a core without which nothing can be published."`
	NoWait  bool          `help:"End when the node has begun to drain."`
	Timeout time.Duration `default:"10m" help:"How long to wait until the node has left. It drains on after that."`
}

// Help is the command's long help.
func (*Command) Help() string {
	return `Has a node do what SIGTERM does, over a core's API: nobody is sent to it any more, an edge asks its clients to move to
other edges, over its own --drain, a core hands its logs to other cores, and then it ends with status 0. Whether it
is started again is its supervisor's to say. The command ends with status 0 when the node has left, with 1 if it has
not, or nobody knows it.

Examples:

  $ selvedge drain --dev edge-1
  $ selvedge drain --core https://core.example.com --key KEY edge-eu-2
  $ selvedge drain --dev --no-wait edge-1

A rolling restart, where a supervisor starts each again:

  $ for n in edge-1 edge-2 edge-3; do
      selvedge drain --dev $n || break
      until selvedge top --dev --once | grep -q " $n .* ready "; do sleep 1; done
    done`
}

// Run has the node drain, and waits until it has left.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	if err := c.check(); err != nil {
		return err
	}
	key := c.Key
	if c.Dev {
		key = identity.DevAPIKey
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if err := c.drain(ctx, newCores(c.Core, key, transport), stdio); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// check finds out what can't work before anybody is asked.
func (c *Command) check() error {
	switch {
	case c.Dev && c.Key != "":
		return config.Usagef("drain: --dev and --key exclude each other")
	case !c.Dev && c.Key == "":
		return config.Usagef("drain: the API key is missing: give --key, or --dev for a core that runs with --dev")
	case c.Timeout <= 0:
		return config.Usagef("drain: --timeout %s: use a positive time, or --no-wait", c.Timeout)
	}
	if err := topology.CheckNodeID(topology.NodeID(c.Node)); err != nil {
		return config.Usagef("drain: %w", err)
	}
	for _, core := range c.Core {
		if u, err := url.Parse(core); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return config.Usagef("drain: --core %q is no address of a core: use a URL such as %s", core, client.DefaultURL)
		}
	}
	return nil
}

func (c *Command) drain(ctx context.Context, cores *cores, stdio *config.IO) error {
	node := topology.NodeID(c.Node)
	if err := cores.prefer(ctx, node); err != nil {
		return err
	}
	d, err := order(ctx, cores.clients[0], node, c.Force)
	if err != nil {
		if client.IsCode(err, wire.Conflict) {
			err = fmt.Errorf("%w (--force)", err)
		}
		return err
	}
	if c.NoWait {
		_, err := fmt.Fprintf(stdio.Stdout, "%s drains\n", d.Node)
		return err
	}
	start := time.Now()
	timed, cancel := context.WithTimeoutCause(ctx, c.Timeout, errTimeout)
	defer cancel()
	p := newProgress(stdio, newWatch(d, start))
	became, err := follow(timed, cores, p)
	p.end()
	took := time.Since(start).Round(100 * time.Millisecond)
	switch {
	case errors.Is(context.Cause(timed), errTimeout) && became == waiting:
		return fmt.Errorf("%s has not left after %s: it drains on", d.Node, c.Timeout)
	case err != nil:
		return err
	case became == returned:
		_, err = fmt.Fprintf(stdio.Stdout, "%s has drained and left, in %s, and is back\n", d.Node, took)
	default:
		_, err = fmt.Fprintf(stdio.Stdout, "%s has drained and left, in %s\n", d.Node, took)
	}
	return err
}

var errTimeout = errors.New("the time is over")

func order(ctx context.Context, core *client.Client, node topology.NodeID, force bool) (client.Draining, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, orderTime, fmt.Errorf("%s: no answer within %s: whether %s drains is not known", core.BaseURL, orderTime, node))
	defer cancel()
	return core.Drain(ctx, node, force)
}

// follow looks at the node until it has left, or nobody can tell.
func follow(ctx context.Context, cores *cores, p *progress) (outcome, error) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		answer, err := cores.look(ctx)
		var became outcome
		switch {
		case ctx.Err() != nil:
			return waiting, context.Cause(ctx)
		case err == nil:
			became = p.watch.answered(time.Now(), &answer)
		case final(err):
			return lost, err
		default:
			became = p.watch.failed(time.Now(), err)
		}
		p.show(time.Now(), err)
		switch became {
		case left, returned:
			return became, nil
		case lost:
			return lost, fmt.Errorf("no core has answered for %s, and what became of %s is not known: %w", silence, p.watch.node, err)
		case waiting:
		}
		select {
		case <-ctx.Done():
			return waiting, context.Cause(ctx)
		case <-t.C:
		}
	}
}
