package fanout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/orders"
	"selvedge/wire"
)

// channel is the one that is fanned out. Links want it, sockets subscribe it, and
// Redis takes it as a name.
const channel = wire.Channel("topic:fanout")

// publishers is how many publishes may be on their way to a core at once.
const publishers = 64

// rig is all that runs, on this machine.
type rig struct {
	scenario Scenario
	patience time.Duration // how long nothing may come before the rest counts as late or lost
	stderr   io.Writer
	temp     string // of Redis

	connectTime time.Duration // what connecting all may take; 0 = 5 minutes
	binary      string        // of all processes but Redis
	clientArgs  []string

	redis    *redisServer
	cluster  []*redisServer
	direct   *fleet.Fleet // a core
	regional *fleet.Fleet // a core, and edges in regions
	clients  team
	tiers    []*tier
	missing  []string // tiers that are not measured, and why
	round    int64    // the last one
}

func (r *rig) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(r.stderr, "simulate fanout: "+format+"\n", args...) // may go unread
}

// start starts what the scenario needs. End the rig, also after an error.
func (r *rig) start(ctx context.Context, clients ...string) error {
	s := &r.scenario
	var err error
	if r.binary, err = os.Executable(); err != nil {
		return err
	}
	r.clientArgs = clients
	r.progress("starting what the tiers need: %v", s.Tiers)
	if r.temp, err = os.MkdirTemp("", "selvedge-fanout-"); err != nil {
		return err
	}
	if r.clients, err = orders.StartTeam[order, word](s.Processes, r.binary, clients...); err != nil {
		return err
	}
	if err := r.startRedis(ctx); err != nil {
		return err
	}
	if s.has(tierDirect) {
		if r.direct, err = fleet.Run(ctx, fleet.Config{Binary: r.binary}); err != nil {
			return err
		}
	}
	if s.has(tierRelays, tierSockets) {
		r.regional, err = fleet.Run(ctx, fleet.Config{Binary: r.binary, EdgeFlags: []string{
			"--accept-rate", "0", "--max-sockets", strconv.Itoa(s.most() + spareFiles),
		}})
		if err != nil {
			return err
		}
		for range s.EdgesPerRegion {
			for _, region := range s.Regions {
				if _, err := r.regional.StartEdge(ctx, region); err != nil {
					return err
				}
			}
		}
	}
	return r.makeTiers(ctx)
}

func (r *rig) startRedis(ctx context.Context) (err error) {
	s := &r.scenario
	if s.has(tierRedis) {
		r.redis, err = startRedis(ctx, r.temp, s.most()+spareFiles)
	}
	if err == nil && s.has(tierCluster, tierSharded) {
		r.cluster, err = startRedisCluster(ctx, r.temp, s.most()+spareFiles, s.RedisNodes)
	}
	if errors.Is(err, errNoRedis) {
		for _, t := range []string{tierRedis, tierCluster, tierSharded} {
			if s.has(t) {
				r.missing = append(r.missing, fmt.Sprintf("%s: %v", t, err))
			}
		}
		return nil
	}
	return err
}

// end ends everything, and returns why the run failed, if it did.
func (r *rig) end(failed error) error {
	errs := []error{failed}
	for _, f := range []*fleet.Fleet{r.direct, r.regional} {
		if f != nil && failed != nil && !errors.Is(failed, context.Canceled) {
			r.progress("the end of what nodes logged:\n%s", f.Logs())
		}
	}
	if r.clients != nil {
		if err := r.clients.Stop(); failed == nil {
			errs = append(errs, err)
		}
	}
	for _, f := range []*fleet.Fleet{r.direct, r.regional} {
		if f != nil {
			f.Stop()
		}
	}
	if r.redis != nil {
		r.redis.stop()
	}
	stopAll(r.cluster)
	if r.temp != "" {
		errs = append(errs, os.RemoveAll(r.temp))
	}
	return errors.Join(errs...)
}

// api is a client of a fleet's core that keeps its connections.
func api(f *fleet.Fleet) *client.Client {
	return &client.Client{
		BaseURL: f.Core.URL, Key: identity.DevAPIKey, Retries: -1,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: publishers, MaxConnsPerHost: publishers}},
	}
}
