package edge

import (
	"context"
	"time"

	"selvedge/topology"
	"selvedge/wire"
)

const (
	// warmTimeout bounds the question what is hot.
	warmTimeout = 2 * time.Second
	// warmTries is how often a sibling is asked that does not answer.
	warmTries = 3
)

// warming has an edge ask its siblings for what is hot there: one of them when the
// first user has come to it, and each that begins to drain, since its clients will come.
// It is used by one goroutine.
type warming struct {
	s     *siblings
	begun bool           // the first user has come
	tries map[string]int // siblings that drain
}

// look is called every second.
func (w *warming) look(ctx context.Context) {
	world := w.s.n.world.Load()
	if world == nil {
		return
	}
	if world.sessions.Users() == 0 {
		w.begun = false
		return
	}
	if !w.begun {
		w.begun = true
		if node := w.s.Of("hot:" + w.s.n.cfg.Name); node != "" {
			w.ask(ctx, node)
		}
	}
	draining := map[string]int{}
	for _, e := range w.s.n.gossip.Snapshot().InRegion(w.s.n.cfg.Region.Name) {
		if e.Role != topology.RoleEdge || e.State != topology.StateDraining || string(e.ID) == w.s.n.cfg.Name {
			continue
		}
		tries := w.tries[string(e.ID)]
		if tries < warmTries {
			if tries++; w.ask(ctx, string(e.ID)) {
				tries = warmTries
			}
		}
		draining[string(e.ID)] = tries
	}
	w.tries = draining
}

// ask asks a sibling what is hot, and for that; it reports whether there was an answer.
func (w *warming) ask(ctx context.Context, node string) bool {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	a, err := w.s.Ask(ctx, node, &wire.Query{T: wire.QHot, Limit: wire.MaxPage})
	if err != nil || a.Err != nil {
		return false
	}
	if world := w.s.n.world.Load(); world != nil && len(a.Keys) <= wire.MaxPage {
		world.sessions.Warm(node, a.Keys)
	}
	w.s.n.cfg.Logger.Debug("warmed", "by", node, "documents", len(a.Keys))
	return true
}

// warm looks every second until ctx ends.
func (n *edgeNode) warm(ctx context.Context) error {
	w := &warming{s: n.siblings}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			w.look(ctx)
		}
	}
}
