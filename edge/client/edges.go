package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	discoverTimeout  = 5 * time.Second
	maxEdgesBody     = 1 << 20
	refreshEvery     = time.Minute
	maxKnown         = 64 // edges remembered; an edge names the best first
	drainBeforeClose = 4 << 10
)

// Edge is an edge as another one describes it.
type Edge struct {
	ID     string  `json:"id"`
	Region string  `json:"region"`
	URL    string  `json:"url"`
	KM     float64 `json:"km"`
	Load   float64 `json:"load"`
}

func (e Edge) same(o Edge) bool {
	return e.ID != "" && e.ID == o.ID || strings.TrimSuffix(e.URL, "/") == strings.TrimSuffix(o.URL, "/")
}

// directory knows the edges, the one to use first. Safe for concurrent use.
type directory struct {
	transport *http.Transport // fixed
	http      *http.Client    // fixed; on transport

	mu    sync.Mutex
	known []Edge // never empty
	seeds []Edge // never forgotten
	named []Edge // as the last one asked ranks them
	team  string // whose edge is wanted; "" = nobody's
	rests rests
}

func newDirectory(urls []string, transport *http.Transport) *directory {
	d := &directory{transport: transport, http: &http.Client{Transport: transport}}
	for _, u := range urls {
		d.seeds = append(d.seeds, Edge{URL: u})
	}
	d.known = slices.Clone(d.seeds)
	return d
}

func (d *directory) current() Edge {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[0]
}

// setTeam says whose edge is wanted.
func (d *directory) setTeam(team string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.team = team
}

// identify notes what an edge calls itself. It need not be the first any more: a
// nearer one may have been found meanwhile.
func (d *directory) identify(e Edge, id, region string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.known, e.same); i >= 0 {
		d.known[i].ID, d.known[i].Region = id, region
	}
}

// next puts an edge that failed at the end of the line, if it is the current one.
func (d *directory) next(failed Edge) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known[0].same(failed) {
		return
	}
	d.known = append(d.known[1:len(d.known):len(d.known)], d.known[0])
}

// learn takes the edges that asked named, if it is still the current one: it
// stays first, seeds stay known, others that are not named any more are
// forgotten.
func (d *directory) learn(asked Edge, named []Edge) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known[0].same(asked) {
		return
	}
	d.named = named
	d.known = merge(d.known[:1:1], named, d.seeds)
}

// leave takes the edges that one named when it asked to be left.
func (d *directory) leave(leaving Edge, named []Edge) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[0].same(leaving) {
		leaving = d.known[0] // which knows its id
	}
	others := slices.DeleteFunc(slices.Concat(named, d.known), leaving.same)
	d.known = merge(others, []Edge{leaving})
}

// merge joins lists of edges without repeating one. What has no usable URL is
// left out.
func merge(lists ...[]Edge) []Edge {
	var out []Edge
	for _, e := range slices.Concat(lists...) {
		if _, err := endpoint(e.URL, "", "ws"); err != nil || slices.ContainsFunc(out, e.same) {
			continue
		}
		if out = append(out, e); len(out) == maxKnown {
			break
		}
	}
	return out
}

// discover asks the current edge for the others.
func (d *directory) discover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	asked := d.current()
	var answer struct {
		Edges      []Edge `json:"edges"`
		RetryAfter int64  `json:"retry_after_ms"`
	}
	d.mu.Lock()
	query := url.Values{}
	if d.team != "" {
		query.Set("team", d.team)
	}
	d.mu.Unlock()
	if err := get(ctx, d.http, asked.URL, "/v1/edges", query, &answer); err != nil {
		return err
	}
	d.rest(asked, time.Duration(min(answer.RetryAfter, mostRest.Milliseconds()))*time.Millisecond)
	d.learn(asked, answer.Edges)
	return nil
}

// get reads a small JSON answer into v; nil = the status is all that matters.
func get(ctx context.Context, client *http.Client, base, path string, query url.Values, v any) error {
	u, err := endpoint(base, path, "http")
	if err != nil {
		return err
	}
	if len(query) > 0 && !strings.Contains(u, "?") {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBeforeClose)
		_ = resp.Body.Close()
	}()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s: status %d", u, resp.StatusCode)
	}
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxEdgesBody)).Decode(v); err != nil {
		return fmt.Errorf("GET %s: %w", u, err)
	}
	return nil
}
