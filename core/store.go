package core

import (
	"context"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// Store is what a core does with its logs. log.Store is one, and says what the
// methods promise; simulations have others.
type Store interface {
	feed.Log
	directory.Log
	Latest(ctx context.Context, p wire.LogID) (wire.Seq, error)
	Publish(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error)
	Signal(sig *wire.Signal) error
	Signals(fn func(*wire.Signal))
	Close() error
}

// openLog is log.Open.
func openLog(ctx context.Context, cfg corelog.Config) (Store, error) {
	s, err := corelog.Open(ctx, cfg)
	if err != nil {
		return nil, err // not a nil *log.Store, which is no nil Store
	}
	return s, nil
}
