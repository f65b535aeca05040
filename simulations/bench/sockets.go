package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"selvedge/edge"
	"selvedge/simulations/load"
)

// arrive connects a group, whose tokens are signed first.
func (r *rig) arrive(ctx context.Context, g load.Group) (load.Connected, error) {
	if err := r.clients.Sign(ctx, g); err != nil {
		return load.Connected{}, err
	}
	return r.clients.Connect(ctx, g)
}

// faultless reports what went wrong at the sockets of groups, of which each has
// so many.
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

// leave closes a group's sockets, and waits until its servers have noticed.
func (r *rig) leave(ctx context.Context, group string) error {
	if err := r.clients.Drop(ctx, group); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	for {
		n, err := r.served(ctx, group)
		if err != nil || n == 0 {
			return err
		}
		if err := settle(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %d sockets are not gone: %w", group, n, err)
		}
	}
}

// served is how many sockets the servers of a group count.
func (r *rig) served(ctx context.Context, group string) (int, error) {
	all := 0
	if group == bare {
		for _, f := range r.floors {
			n, err := f.Sockets(ctx)
			if err != nil {
				return 0, err
			}
			all += n
		}
		return all, nil
	}
	for _, e := range r.fleet.Edges {
		var s edge.Status
		if err := getJSON(ctx, e.Admin+"/varz", &s); err != nil {
			return 0, err
		}
		all += s.Sockets
	}
	return all, nil
}

func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
