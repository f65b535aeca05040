package mega

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
	"selvedge/topology/region"
	"selvedge/wire"
)

// userPrefix begins the users' ids.
const userPrefix = "u"

const (
	// ping is how often sockets are pinged: a hundred thousand each 25 s are 4,000 a
	// second, two fifths of a CPU that is not the channel's.
	ping = "5m"
	// lookAfter is how often nodes look after each other: a hundred of them do so on one
	// machine here.
	lookAfter = "5s"
	// retries is how often a socket that is not welcome tries again, as SDKs do.
	retries = 10
)

// startTime bounds the start of a node.
const startTime = 2 * time.Minute

// rig is all that runs, on this machine.
type rig struct {
	*Stage
	binaryPath string

	fleet   *fleet.Fleet
	api     *client.Client
	clients *load.Clients
	floors  []*load.Floor
	texts   load.Texts
}

func newRig(stage *Stage, bytes int) (*rig, error) {
	binary, err := stage.binary()
	return &rig{Stage: stage, binaryPath: binary, texts: load.Texts{Seed: stage.Seed, Size: bytes}}, err
}

// spawn starts the processes of clients.
func (r *rig) spawn(n int) (err error) {
	r.clients, err = load.Spawn(r.binaryPath, n, clientArgs()...)
	return err
}

// startFleet starts a core, and edges that take turns in regions, one after the
// other: many at once would take the CPU from each other until their links time out.
func (r *rig) startFleet(ctx context.Context, edges, regions, perEdge, publishers int) (err error) {
	if r.fleet, err = fleet.Run(ctx, fleet.Config{Binary: r.binaryPath, Patience: startTime}); err != nil {
		return err
	}
	known := region.All()
	flags := []string{"--accept-rate", "0", "--ping", ping, "--gossip-probe-interval", lookAfter, "--max-sockets", strconv.Itoa(perEdge + spareSockets)}
	for i := range edges {
		if _, err := r.fleet.StartEdge(ctx, known[i%min(regions, len(known))].Name, flags...); err != nil {
			return err
		}
		if n := i + 1; n%10 == 0 || n == edges {
			r.progress("  %d of %d edges are ready", n, edges)
		}
	}
	r.api = &client.Client{
		BaseURL: r.fleet.Core.URL, Key: identity.DevAPIKey, Retries: -1,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: publishers, MaxConnsPerHost: publishers}},
	}
	return nil
}

// allReady waits until every edge is fit for traffic: on a machine that is short of CPU
// one may have lost its links while others were started.
func (r *rig) allReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for _, e := range r.fleet.Edges {
		for !fleet.Ready(ctx, e.Admin) {
			if err := settle(ctx, quiet); err != nil {
				return fmt.Errorf("%s isn't fit for traffic: %w: %s", e.Name, err, e.Log())
			}
		}
	}
	return nil
}

// socketURL is where an edge's sockets are.
func socketURL(e *fleet.Node) string { return "ws" + strings.TrimPrefix(e.URL, "http") + "/v1/socket" }

// join makes a room with the users from number first on as its members, in one
// call, and tells how long that took.
func (r *rig) join(ctx context.Context, room wire.RoomID, first, n int) (time.Duration, error) {
	name, err := wire.ParseJSON(fmt.Appendf(nil, `{"name":%q}`, room))
	if err != nil {
		return 0, err
	}
	if _, err := r.api.PutRoom(ctx, room, client.Document{Data: name}); err != nil {
		return 0, err
	}
	ids := make([]wire.UserID, n)
	for i := range ids {
		ids[i] = wire.UserID(load.UserID(userPrefix, first+i))
	}
	start := time.Now()
	done, err := r.api.ChangeMembers(ctx, room, ids, nil)
	took := time.Since(start)
	if err == nil && done.Added != n {
		err = fmt.Errorf("%d of %d users joined room %s", done.Added, n, room)
	}
	return took, err
}

// message is number n of those to a channel.
func (r *rig) message(ch wire.Channel, n int) (client.Message, error) {
	data, err := r.texts.Data(n)
	return client.Message{Channel: ch, Data: data, From: load.From}, err
}

// arrive connects a group, whose tokens are signed first.
func (r *rig) arrive(ctx context.Context, g load.Group) error {
	if err := r.clients.Sign(ctx, g); err != nil {
		return err
	}
	_, err := r.clients.Connect(ctx, g)
	if err != nil {
		err = fmt.Errorf("%s: %w", g.Name, err)
	}
	return err
}

// faultless reports what went wrong at the sockets of groups, of which each has so
// many.
func (r *rig) faultless(ctx context.Context, sockets int, groups ...string) error {
	for _, g := range groups {
		s, err := r.clients.Stats(ctx, g)
		if err != nil {
			return err
		}
		if fault := s.Fault(); fault != "" || s.Open != int64(sockets) {
			return fmt.Errorf("%s: %d of %d sockets open, %s", g, s.Open, sockets, &s)
		}
	}
	return nil
}

// missing says what an incomplete round lacks.
func (r *rig) missing(ctx context.Context, group string, frames, want int64) error {
	s, err := r.clients.Stats(ctx, group)
	return errors.Join(err, fmt.Errorf("%s: %d of %d messages came, and none for %v: %s", group, frames, want, r.patience(), &s))
}

// end ends everything, and returns why the measurement failed, if it did.
func (r *rig) end(failed error) error {
	errs := []error{failed}
	if failed != nil && r.fleet != nil && r.fleet.Core != nil && !errors.Is(failed, context.Canceled) {
		r.progress("the end of what the nodes logged:\n%s", r.fleet.Logs())
	}
	if r.clients != nil {
		if err := r.clients.Close(); failed == nil {
			errs = append(errs, err)
		}
	}
	// A hundred floors, or edges, that leave one after the other would take a minute.
	var all sync.WaitGroup
	closed := make([]error, len(r.floors))
	for i, f := range r.floors {
		all.Go(func() { closed[i] = f.Close() })
	}
	all.Wait()
	if failed == nil {
		errs = append(errs, closed...)
	}
	if r.fleet != nil {
		for _, e := range r.fleet.Edges {
			all.Go(e.Kill)
		}
		all.Wait()
		r.fleet.Stop()
	}
	return errors.Join(errs...)
}
