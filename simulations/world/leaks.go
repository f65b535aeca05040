package world

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A leak is what is still there after some looks: one look takes a while, and what
// a session that ended has left is given back meanwhile.
const (
	leakLooks = 4
	leakPause = 5 * time.Second
)

// leaks looks for what cores and relays still feed to edges, and edges do not know
// of.
func (w *World) leaks(ctx context.Context) (problems []string) {
	for range leakLooks {
		if problems = w.lookForLeaks(ctx); problems == nil {
			return nil
		}
		<-time.After(leakPause)
	}
	return problems
}

// lookForLeaks looks once: all is calm, so the cores together feed each log once to
// each region, and with the relays once to each edge; and they hold the interests
// that the edges hold.
func (w *World) lookForLeaks(ctx context.Context) (problems []string) {
	held, wanted, relayed := 0, 0, 0
	edges, regions := 0, map[string]bool{}
	for _, n := range w.Edges {
		if n.killed {
			continue
		}
		var edge struct {
			Interests    int `json:"interests"`
			FedLogs      int `json:"fed_logs"`
			FedInterests int `json:"fed_interests"`
		}
		if err := n.varz(ctx, &edge); err != nil {
			return []string{err.Error()}
		}
		wanted += edge.Interests
		held += edge.FedInterests
		relayed += edge.FedLogs
		regions[w.places[n.Host].Name] = true
		edges++
	}
	fed, err := w.fedByCores(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, n := range w.Cores {
		interests, err := n.metric(ctx, "selvedge_core_interest")
		if err != nil {
			return []string{err.Error()}
		}
		held += interests
	}
	if want := len(regions) * w.cfg.Logs; fed != want {
		problems = append(problems, fmt.Sprintf("the cores feed %d logs to %d regions, %d should be", fed, len(regions), want))
	}
	if want := edges * w.cfg.Logs; fed+relayed != want {
		problems = append(problems, fmt.Sprintf("%d logs are fed to %d edges, %d should be", fed+relayed, edges, want))
	}
	if held != wanted {
		problems = append(problems, fmt.Sprintf("cores and relays hold %d interests, the edges have %d", held, wanted))
	}
	return problems
}

// fedByCores is how many logs the cores feed, each counted once for each edge that
// takes it from one.
func (w *World) fedByCores(ctx context.Context) (fed int, err error) {
	for _, n := range w.Cores {
		var console struct {
			Links []struct {
				Logs int `json:"logs"`
			} `json:"links"`
		}
		if err := n.varz(ctx, &console); err != nil {
			return 0, err
		}
		for _, l := range console.Links {
			fed += l.Logs
		}
	}
	return fed, nil
}

// varz reads a node's state.
func (n *Node) varz(ctx context.Context, v any) error {
	return n.admin(ctx, "/varz", func(r io.Reader) error { return json.NewDecoder(r).Decode(v) })
}

// metric reads one of a node's metrics, without labels.
func (n *Node) metric(ctx context.Context, name string) (value int, err error) {
	err = n.admin(ctx, "/metrics", func(r io.Reader) error {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				f, err := strconv.ParseFloat(text, 64)
				value = int(f)
				return err
			}
		}
		return fmt.Errorf("%s has no metric %s", n.Name, name)
	})
	return value, err
}

// admin reads a path of a node's admin port.
func (n *Node) admin(ctx context.Context, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%s", n.Host.Addr(adminPort), path), http.NoBody)
	if err != nil {
		return err
	}
	res, err := n.w.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s can't be looked at: %w", n.Name, err)
	}
	defer res.Body.Close()
	if err := read(res.Body); err != nil {
		return fmt.Errorf("%s, %s: %w", n.Name, path, err)
	}
	return nil
}
