package edge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/session"
	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// world is what an edge has once it knows its cluster's logs.
type world struct {
	cache    *cache.Cache
	engine   *fanout.Engine
	sessions *session.Manager
}

// follower takes what comes down the links. It implements upstream.Sink.
type follower struct {
	n   *edgeNode
	ctx context.Context
	g   *errgroup.Group // runs the world
	// Written by Begin, while nothing else runs.
	w     *world
	epoch string
}

// Begin implements upstream.Sink: the first core tells how many logs there are;
// another epoch starts every session afresh, where the logs end now.
func (f *follower) Begin(epoch string, logs int, ends []wire.Seq) error {
	frames, state := ends[:logs], ends[logs]
	switch {
	case f.w == nil:
		w, err := f.n.newWorld(logs, frames)
		if err != nil {
			return err
		}
		w.sessions.Bind(f.ctx, w.engine)
		f.g.Go(func() error { return w.engine.Run(f.ctx) })
		f.g.Go(func() error { return w.sessions.Run(f.ctx) })
		f.w = w
		f.n.world.Store(w)
	case logs != f.w.cache.Logs():
		return fmt.Errorf("the cluster has %d logs, this edge has known it with %d: restart the edge", logs, f.w.cache.Logs())
	default:
		f.n.cfg.Logger.Warn("the logs changed their epoch: every session starts afresh", "old", f.epoch, "new", epoch)
	}
	for p, pos := range frames {
		f.w.cache.Log(wire.LogID(p)).Restart(pos)
	}
	f.n.siblings.relay.Begin(epoch, logs)
	f.n.siblings.server.Reset("epoch")
	fresh := f.epoch == ""
	f.epoch = epoch
	// The sessions go first: what still begins one in the old epoch is before
	// the engine's restart, which closes it.
	f.w.sessions.SetEpoch(epoch)
	if !fresh {
		f.w.engine.Restart(slices.Clone(frames), "epoch")
	}
	f.w.sessions.State(nil, state)
	return nil
}

// Position implements upstream.Sink: where this edge stands.
func (f *follower) Position(p wire.LogID) wire.Seq {
	if p == wire.StateLog {
		return f.w.sessions.Position()
	}
	return f.w.cache.Log(p).Pos()
}

// Linked implements upstream.Sink.
func (f *follower) Linked(string) { f.n.watermark() } // the welcome is as good

// Unlinked implements upstream.Sink.
func (f *follower) Unlinked(node string, err error) {
	if errors.Is(err, upstream.ErrLeft) {
		f.n.cfg.Logger.Info("upstream left", "from", node)
		return
	}
	f.n.cfg.Logger.Warn("link lost", "to", node, "err", err)
}

// Records implements upstream.Sink.
func (f *follower) Records(p wire.LogID, records []tail.Record) {
	if p == wire.StateLog {
		f.state(records)
		return
	}
	frames := make([]*cache.Frame, 0, len(records))
	defer f.n.siblings.relay.Records(p, records)
	var upto wire.Seq
	for i := range records {
		r := &records[i]
		if r.Kind == tail.Watermark {
			upto = r.Seq
			if floor, err := link.WatermarkFloor(r); err == nil {
				f.w.cache.Log(p).SetTrimmed(floor)
			}
			f.watermark(p)
			continue
		}
		fr, err := cache.ParseFrame(r.Bytes)
		if err != nil {
			f.n.cfg.Logger.Error("a frame that can't be read is left out", "log", p, "err", err)
			continue
		}
		r.Seq, r.Keys[0] = fr.Seq, wire.FramesKey(fr.Ch)
		frames = append(frames, fr)
		upto = fr.Seq
	}
	f.advance(p, frames, upto)
}

// advance keeps frames and hands them on, complete up to a position.
func (f *follower) advance(p wire.LogID, frames []*cache.Frame, upto wire.Seq) {
	l := f.w.cache.Log(p)
	kept := l.Append(frames, upto)
	f.w.sessions.Passed(kept)
	f.w.engine.Publish(&fanout.Batch{P: p, Frames: kept, Upto: l.Pos()})
}

// watermark notes a word of a core. What a sibling passes on is none: an edge that
// has siblings and no core can begin no session, and must relay nothing, so it isn't
// ready.
func (f *follower) watermark(p wire.LogID) {
	if f.n.siblings.relay.ByCore(p) {
		f.n.watermark()
	}
}

func (f *follower) state(records []tail.Record) {
	out := make([]*wire.StateRecord, 0, len(records))
	var upto wire.Seq
	for i := range records {
		r := &records[i]
		if r.Kind == tail.Watermark {
			upto = r.Seq
			f.watermark(wire.StateLog)
			continue
		}
		rec := new(wire.StateRecord)
		if err := wire.Msgpack.Decode(r.Bytes, rec); err != nil {
			f.n.cfg.Logger.Error("a state record that can't be read is left out", "err", err)
			continue
		}
		out = append(out, rec)
		upto = rec.V
	}
	f.w.sessions.State(out, upto)
}

// Live implements upstream.Sink: a channel's range begins at the marker, or
// already where it was asked for, if nothing came in between.
func (f *follower) Live(p wire.LogID, wants []upstream.Want, m link.Marker) {
	if p == wire.StateLog {
		f.w.sessions.Live(wants, m)
		return
	}
	slices.Sort(m.Moved)
	for _, w := range wants {
		_, moved := slices.BinarySearch(m.Moved, w.Key)
		ch, ok := w.Token.(*cache.Channel)
		if !ok {
			f.n.siblings.relay.Live(p, w, moved, m)
			continue
		}
		floor := w.Since
		if moved {
			floor = max(m.Seq, w.Since)
		}
		ch.SetLive(floor)
	}
	f.advance(p, nil, m.Seq)
	f.w.engine.Covered(p)
}

// Gap implements upstream.Sink. The state log has none: the last record of each
// key is kept for ever.
func (f *follower) Gap(p wire.LogID, floor wire.Seq, lost []wire.Key) {
	if p == wire.StateLog {
		f.n.cfg.Logger.Error("a gap in the state log is left out", "upto", floor)
		return
	}
	f.n.cfg.Logger.Warn("frames are gone at the core", "log", p, "upto", floor)
	f.n.siblings.relay.Gap(p)
	f.w.cache.Log(p).Gap(floor, lost)
	f.w.engine.Gap(p, floor)
}

// Signal implements upstream.Sink.
func (f *follower) Signal(s *wire.Signal) {
	f.w.sessions.Signal(s)
	f.n.siblings.pass("", s)
}

// stateShare is the part of the cache that is for users, rooms and memberships:
// one of so many.
const stateShare = 4

// newWorld builds what serves the sockets, from the present ends of the logs.
func (n *edgeNode) newWorld(logs int, at []wire.Seq) (*world, error) {
	state := n.cfg.CacheBytes / stateShare
	w := &world{cache: cache.New(logs, n.cfg.CacheBytes-state)}
	w.sessions = session.New(session.Config{
		Cache: w.cache, Upstream: uplink{n.up, n.siblings}, Siblings: n.siblings, Verify: n.verifier.Verify,
		Edge: wire.EdgeInfo{ID: n.cfg.Name, Region: n.cfg.Region.Name},
		Ping: n.cfg.Ping, Logger: n.cfg.Logger, Events: n.metrics.sessionEvents(), StateBytes: int(state),
	})
	loops, err := newLoops(n.cfg.Transport, n.transportConfig())
	if err != nil {
		return nil, err
	}
	w.engine = fanout.New(fanout.Config{
		Loops: loops, Logs: logs, Sessions: w.sessions, Fill: w.sessions.Fill, Objects: w.sessions.Referred,
		Budget: n.cfg.SocketBudget, Ping: n.cfg.Ping, Events: n.metrics.engineEvents(n.clockOffset),
	}, at)
	return w, nil
}
