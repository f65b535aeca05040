package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/internal/config"
	"selvedge/simulations/orders"
)

// ClientsCommand is a process of gateways, started by Command.
type ClientsCommand struct {
	Lose int `help:"Overlook every this many-th message, to see that it is noticed; 0 = none." default:"0" hidden:""`
}

// Run obeys the orders on stdin until they end.
func (c *ClientsCommand) Run(ctx context.Context, stdio *config.IO) error {
	h := &host{lose: int64(c.Lose)}
	err := orders.Obey(ctx, stdio.Stdin, stdio.Stdout, h.handle)
	return errors.Join(err, h.drop())
}

// host is a process of gateways.
type host struct {
	lose  int64
	tally *tally
	all   gateways // nil = none
}

// gateways are connected subscribers.
type gateways interface {
	// close ends them, and returns when nothing of them runs any more.
	close() error
	// astray is how many are fed by another than they were connected to.
	astray() int64
	// home has those return, some at a time.
	home(ctx context.Context, atOnce int) error
}

func (h *host) handle(ctx context.Context, o order) (word, error) {
	switch o.Do {
	case "connect":
		return word{}, h.connect(ctx, o)
	case "drop":
		return word{}, h.drop()
	}
	if h.all == nil {
		return word{}, errors.New("nobody is connected")
	}
	switch o.Do {
	case "home":
		return word{}, h.all.home(ctx, o.InFlight)
	case "begin":
		h.tally.begin(o.Round, o.Publishes)
		return word{}, nil
	case "await":
		err := h.tally.await(ctx, o.From, o.From+o.Publishes, int64(o.Count), time.Duration(o.Millis)*time.Millisecond)
		return word{Astray: h.all.astray()}, err
	case "tell":
		return h.tally.tell()
	}
	return word{}, fmt.Errorf("no such order")
}

func (h *host) connect(ctx context.Context, o order) (err error) {
	if h.all != nil {
		return errors.New("the gateways before are still connected")
	}
	if len(o.Targets) == 0 {
		return errors.New("nothing to connect to")
	}
	h.tally = &tally{payloads: newPayloads(o.Bytes), lose: h.lose}
	if o.Kind == kindLink {
		h.all, err = connectLinks(ctx, h.tally, o)
	} else {
		h.all, err = connectStreams(ctx, h.tally, o)
	}
	if err != nil {
		h.all = nil
	}
	return err
}

func (h *host) drop() error {
	all := h.all
	h.all, h.tally = nil, nil
	if all == nil {
		return nil
	}
	return all.close()
}

// each calls one for each of a row of numbers, some at a time; it returns the first
// error.
func each(ctx context.Context, first, count, atOnce int, one func(ctx context.Context, n int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(atOnce, 1))
	for n := first; n < first+count && ctx.Err() == nil; n++ {
		g.Go(func() error { return one(ctx, n) })
	}
	return g.Wait()
}
