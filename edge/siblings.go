package edge

import (
	"context"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"selvedge/edge/relay"
	"selvedge/edge/upstream"
	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
)

// relayShare is the part of the cache's budget that the tails of relayed logs may
// take beside it: one of so many.
const relayShare = 8

// siblings is what this edge has to do with the other edges of its region: it feeds
// them the logs that it relays, and knows which relay has which log.
type siblings struct {
	n      *edgeNode
	relay  *relay.Relay
	server *link.Server

	mu      sync.Mutex
	plan    []topology.NodeID // guarded by mu; of version and logs
	relays  []topology.NodeID // guarded by mu; those in plan, each once
	version uint64            // guarded by mu; of the snapshot
	logs    int               // guarded by mu
}

func newSiblings(n *edgeNode) *siblings {
	s := &siblings{n: n}
	s.relay = relay.New(relay.Config{
		Upstream: lateUpstream{n}, Position: s.position, Signal: s.signal, Documents: s.documents, Hot: s.hot,
		TailBytes: int(n.cfg.CacheBytes / relayShare / 16),
	})
	return s
}

// lateUpstream is the edge's Upstream, which is made after its relay.
type lateUpstream struct{ n *edgeNode }

func (u lateUpstream) Want(p wire.LogID, wants ...upstream.Want) { u.n.up.Want(p, wants...) }
func (u lateUpstream) Drop(p wire.LogID, keys ...wire.Key)       { u.n.up.Drop(p, keys...) }
func (u lateUpstream) End(p wire.LogID) wire.Seq                 { return u.n.up.End(p) }
func (u lateUpstream) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	return u.n.up.Query(ctx, q)
}

// position is how far this edge has taken a log.
func (s *siblings) position(p wire.LogID) wire.Seq {
	w := s.n.world.Load()
	switch {
	case w == nil:
		return 0
	case p == wire.StateLog:
		return w.sessions.Position()
	}
	return w.cache.Log(p).Pos()
}

// planFor is who relays which of so many logs, by what gossip knows now.
func (s *siblings) planFor(logs int) []topology.NodeID {
	snap := s.n.gossip.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plan == nil || s.version != snap.Version || s.logs != logs {
		s.plan, s.version, s.logs = topology.RelayPlan(snap, s.n.cfg.Region.Name, logs), snap.Version, logs
		s.relays = slices.Sorted(slices.Values(s.plan))
		s.relays = slices.Compact(s.relays)
	}
	return s.plan
}

// relayOf names the sibling that relays a frame log; "" if none does, or it is this
// edge that should.
func (s *siblings) relayOf(log, logs int) string {
	plan := s.planFor(logs)
	if log >= len(plan) {
		return ""
	}
	return s.other(plan[log])
}

// other is a sibling's name, "" for this edge.
func (s *siblings) other(id topology.NodeID) string {
	if id == topology.NodeID(s.n.cfg.Name) {
		return ""
	}
	return string(id)
}

// Of implements objects.Siblings. It is one of the relays: there are links to them.
func (s *siblings) Of(key string) string {
	s.planFor(s.relay.Logs())
	s.mu.Lock()
	relays := s.relays
	s.mu.Unlock()
	if len(relays) < 2 {
		return ""
	}
	return s.other(topology.Rendezvous(xxhash.Sum64String(key), relays)[0])
}

// Ask implements objects.Siblings.
func (s *siblings) Ask(ctx context.Context, node string, q *wire.Query) (*wire.Answer, error) {
	return s.n.up.AskSibling(ctx, node, q)
}

// documents answers a sibling's question for documents.
func (s *siblings) documents(ctx context.Context, keys []string) *wire.Answer {
	epoch := s.relay.Epoch()
	if w := s.n.world.Load(); w != nil && len(keys) <= wire.MaxPage {
		if a, err := w.sessions.Documents(ctx, keys); err == nil && s.relay.Epoch() == epoch {
			a.Epoch = epoch
			return a
		}
	}
	return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "ask a core"}}
}

// hot are the keys of the documents that were used last here.
func (s *siblings) hot(n int) []string {
	if w := s.n.world.Load(); w != nil {
		return w.sessions.Hot(n)
	}
	return nil
}

// fed is how many siblings follow a log here.
func (s *siblings) fed(p wire.LogID) int { return s.server.Followers(p) }

// uplink is the edge's Upstream for its sessions, whose signals its siblings get, too.
type uplink struct {
	*upstream.Upstream

	siblings *siblings
}

// Signal passes on what a socket here sends.
func (u uplink) Signal(sig *wire.Signal) error {
	if err := u.Upstream.Signal(sig); err != nil {
		return err
	}
	u.siblings.pass("", sig)
	return nil
}

// signal takes a sibling's signal.
func (s *siblings) signal(node string, sig *wire.Signal) {
	if w := s.n.world.Load(); w != nil {
		w.sessions.Signal(sig)
		s.pass(node, sig)
	}
	if err := s.n.up.Signal(sig); err != nil {
		s.n.cfg.Logger.Debug("signal dropped", "err", err)
	}
}

// pass hands a signal to the siblings who follow its log here and want it, but for
// the one that it came from.
func (s *siblings) pass(node string, sig *wire.Signal) {
	p := wire.LogOf(sig.Ch, s.relay.Logs())
	if s.fed(p) == 0 {
		return
	}
	if err := s.server.Signal(node, sig, p); err != nil {
		s.n.cfg.Logger.Debug("signal dropped", "err", err)
	}
}

// targets are the cores to link to, and the siblings.
func (n *edgeNode) targets() []upstream.Target {
	snap := n.gossip.Snapshot()
	out := targets(snap.Cores(), n.cfg.Region.Lat, n.cfg.Region.Lon)
	for _, e := range snap.Edges() {
		if e.Region == n.cfg.Region.Name && e.ID != topology.NodeID(n.cfg.Name) && e.Link != "" {
			out = append(out, upstream.Target{Node: string(e.ID), Addr: e.Link, Region: e.Region, State: e.State, Relay: true})
		}
	}
	return out
}
