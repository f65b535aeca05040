package link

import (
	"context"

	"selvedge/wire"
	"selvedge/wire/tail"
)

// Source is what an upstream feeds from: a core's logs, or what a relay has of
// them. All methods are safe for concurrent use.
type Source interface {
	// Epoch is the identity of the logs, and Logs the number of frame logs.
	Epoch() string
	Logs() int
	// Tail is the recent end of log p, nil if this source does not have it.
	Tail(p wire.LogID) *tail.Tail
	// Over is closed when the source does not have log p any more, whose Tail it
	// gave: nothing that comes to it later is of use. Nil = never.
	Over(p wire.LogID) <-chan struct{}
	// End is where log p ends, as far as the source knows; 0 = it does not.
	End(p wire.LogID) wire.Seq
	// Hold has the source keep the records of keys of log p. ready is called once,
	// from any goroutine, also before Hold returns, with a position of the log: the
	// tail has, or will have, all their records after it. since is where the asker
	// stands: the nearer ready's position comes to it, the better. Each key is held
	// as often as it was asked for, and Release gives them back as often; ready may
	// come after that, or, if the log is over, not at all. of is the Tail that the
	// asker was given: with that all that was held is over.
	Hold(p wire.LogID, of *tail.Tail, keys []wire.Key, since wire.Seq, ready func(from wire.Seq))
	Release(p wire.LogID, of *tail.Tail, keys []wire.Key)
	// Read returns those records of log p after a position that are wanted,
	// out of some batch's worth, in log order; upto is the position that they
	// complete, at least after. ErrElsewhere says that it has nothing that is older
	// than its tail. floor > after says that the log has no records
	// up to floor any more: Lost tells whose they were. want is not kept.
	Read(ctx context.Context, p wire.LogID, after wire.Seq, want func([2]wire.Key) bool) (records []tail.Record, upto, floor wire.Seq, err error)
	// Moved appends to dst those keys that have, or may have, records of log p
	// after since.
	Moved(dst []wire.Key, p wire.LogID, keys []wire.Key, since wire.Seq) []wire.Key
	// Lost appends to dst those keys that had, or may have had, records of log p
	// in (after, floor], which the log no longer has.
	Lost(dst []wire.Key, p wire.LogID, keys map[wire.Key]struct{}, after, floor wire.Seq) []wire.Key
	// Query answers a downstream. The state that it reads is at least at
	// position applied of the log that the query names. It never returns nil.
	Query(ctx context.Context, node string, q *wire.Query, applied wire.Seq) *wire.Answer
	// Signal passes on a downstream's signal. It must not block.
	Signal(node string, s *wire.Signal)
}

// Whole is for a Source to embed that has every record of its logs, for as long as
// it is there: a core.
type Whole struct{}

// Over implements Source.
func (Whole) Over(wire.LogID) <-chan struct{} { return nil }

// Hold implements Source.
func (Whole) Hold(_ wire.LogID, _ *tail.Tail, _ []wire.Key, _ wire.Seq, ready func(wire.Seq)) {
	ready(0)
}

// Release implements Source.
func (Whole) Release(wire.LogID, *tail.Tail, []wire.Key) {}
