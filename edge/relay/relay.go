package relay

import (
	"context"
	"sync"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Upstream is where an edge gets the logs from.
type Upstream interface {
	Want(p wire.LogID, wants ...upstream.Want)
	Drop(p wire.LogID, keys ...wire.Key)
	Query(ctx context.Context, q *wire.Query) (*wire.Answer, error)
	End(p wire.LogID) wire.Seq
}

// Config sets up a Relay. It is not modified.
type Config struct {
	Upstream Upstream
	// Position is how far this edge has taken a log.
	Position func(p wire.LogID) wire.Seq
	// Signal takes a sibling's signal, for the sockets here, the other siblings, and
	// the core. It must not block.
	Signal func(node string, s *wire.Signal)
	// Documents answers a sibling's question for documents (wire.QGet), each of which
	// all siblings ask of one; V is the position of the state log of which it is at
	// least.
	Documents func(ctx context.Context, keys []string) *wire.Answer
	// Hot are the keys of the documents that were used last, at most n.
	Hot func(n int) []string
	// TailBytes bounds the recent end of each log that is held, in bytes; 0 = 4 MiB.
	TailBytes int
}

// Relay is what this edge feeds others from. It implements link.Source. Its methods
// are safe for concurrent use; those that take what comes down are called for each
// log in its order.
type Relay struct {
	cfg Config

	mu    sync.Mutex
	epoch string              // guarded by mu
	logs  map[wire.LogID]*log // guarded by mu; replaced by Begin
	count int                 // guarded by mu: frame logs
}

// New is a Relay of no logs yet.
func New(cfg Config) *Relay {
	if cfg.TailBytes == 0 {
		cfg.TailBytes = 4 << 20
	}
	return &Relay{cfg: cfg}
}

// Begin tells of the logs, and again when they have another epoch: what was fed of
// the old ones is over.
func (r *Relay) Begin(epoch string, logs int) {
	r.mu.Lock()
	old := r.logs
	r.epoch, r.count, r.logs = epoch, logs, make(map[wire.LogID]*log, logs+1)
	r.logs[wire.StateLog] = newLog(wire.StateLog)
	for p := range logs {
		r.logs[wire.LogID(p)] = newLog(wire.LogID(p))
	}
	r.mu.Unlock()
	for _, lg := range old {
		r.end(lg)
	}
}

func (r *Relay) log(p wire.LogID) *log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs[p]
}

// Placed says from whom this edge takes a log now: only what a core feeds us is fed
// to others. It may be called under the Upstream's lock.
func (r *Relay) Placed(p wire.LogID, byCore bool) {
	if lg := r.log(p); lg != nil {
		lg.mu.Lock()
		lg.byCore = byCore
		lg.mu.Unlock()
		if !byCore {
			r.end(lg)
		}
	}
}

// ByCore reports whether a core feeds us a log.
func (r *Relay) ByCore(p wire.LogID) bool {
	lg := r.log(p)
	if lg == nil {
		return false
	}
	lg.mu.Lock()
	defer lg.mu.Unlock()
	return lg.byCore
}

// end ends all feeds of a log, and what they hold.
func (r *Relay) end(lg *log) {
	lg.mu.Lock()
	keys := lg.endLocked()
	lg.mu.Unlock()
	if len(keys) > 0 {
		go r.cfg.Upstream.Drop(lg.p, keys...) // its lock may be held
	}
}

// Records takes records and watermarks of a log, whose Seq and Keys are set.
func (r *Relay) Records(p wire.LogID, records []tail.Record) {
	if lg := r.log(p); lg != nil {
		lg.append(records)
	}
}

// Feeds reports whether somebody follows a log here: else Records has no use for it.
func (r *Relay) Feeds(p wire.LogID) bool {
	lg := r.log(p)
	return lg != nil && lg.used()
}

// Live takes the marker of a want of this package, and reports whether it was one.
func (r *Relay) Live(p wire.LogID, w upstream.Want, moved bool, m link.Marker) bool {
	h, ok := w.Token.(*held)
	if !ok {
		return false
	}
	if lg := r.log(p); lg != nil {
		lg.live(w.Key, h, w.Since, moved, m.Seq)
	}
	return true
}

// Gap says that records up to floor were not received, and won't be. Who follows the
// log here asks a core, which knows whose they were.
func (r *Relay) Gap(p wire.LogID) {
	if lg := r.log(p); lg != nil {
		r.end(lg)
	}
}

// Epoch implements link.Source.
func (r *Relay) Epoch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// Logs implements link.Source.
func (r *Relay) Logs() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Tail implements link.Source.
func (r *Relay) Tail(p wire.LogID) *tail.Tail {
	lg := r.log(p)
	if lg == nil {
		return nil
	}
	at := r.cfg.Position(p) // what comes meanwhile is appended: it is no matter
	return lg.open(at, r.cfg.TailBytes)
}

// Over implements link.Source.
func (r *Relay) Over(p wire.LogID) <-chan struct{} {
	lg := r.log(p)
	if lg == nil {
		return nil
	}
	lg.mu.Lock()
	defer lg.mu.Unlock()
	return lg.over
}

// End implements link.Source.
func (r *Relay) End(p wire.LogID) wire.Seq { return r.cfg.Upstream.End(p) }

// Hold implements link.Source.
func (r *Relay) Hold(p wire.LogID, of *tail.Tail, keys []wire.Key, since wire.Seq, ready func(wire.Seq)) {
	lg := r.log(p)
	if lg == nil {
		return
	}
	if wants := lg.hold(of, keys, since, ready); len(wants) > 0 {
		r.cfg.Upstream.Want(p, wants...)
	}
}

// Release implements link.Source.
func (r *Relay) Release(p wire.LogID, of *tail.Tail, keys []wire.Key) {
	lg := r.log(p)
	if lg == nil {
		return
	}
	if gone := lg.release(of, keys); len(gone) > 0 {
		r.cfg.Upstream.Drop(p, gone...)
	}
}

// Read implements link.Source: nothing older than the tail is to be had here.
func (r *Relay) Read(context.Context, wire.LogID, wire.Seq, func([2]wire.Key) bool) ([]tail.Record, wire.Seq, wire.Seq, error) {
	return nil, 0, 0, link.ErrElsewhere
}

// Moved implements link.Source.
func (r *Relay) Moved(dst []wire.Key, p wire.LogID, keys []wire.Key, since wire.Seq) []wire.Key {
	lg := r.log(p)
	if lg == nil {
		return append(dst, keys...)
	}
	return lg.moved(dst, keys, since)
}

// Lost implements link.Source.
func (r *Relay) Lost(dst []wire.Key, _ wire.LogID, _ map[wire.Key]struct{}, _, _ wire.Seq) []wire.Key {
	return dst // Read has no floor to tell
}

// Signal implements link.Source.
func (r *Relay) Signal(node string, s *wire.Signal) { r.cfg.Signal(node, s) }
