package link

import (
	"context"

	"selvedge/wire"
	"selvedge/wire/tail"
)

// Source is what an upstream feeds from: a core's logs, or a relay's cache.
// All methods are safe for concurrent use.
type Source interface {
	// Epoch is the identity of the logs, and Logs the number of frame logs.
	Epoch() string
	Logs() int
	// Tail is the recent end of log p, nil if this source does not have it.
	Tail(p wire.LogID) *tail.Tail
	// Read returns those records of log p after a position that are wanted,
	// out of some batch's worth, in log order; upto is the position that they
	// complete, at least after. floor > after says that the log has no records
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
