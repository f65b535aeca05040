package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/core/client"
	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/internal/telemetry"
	"selvedge/wire"
)

// Publisher appends posts to frame logs: see core/log.
type Publisher interface {
	Publish(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error)
}

// Keys knows the API keys of backends.
type Keys interface {
	// Lookup gives the name of a key. It must not tell by its time how much of a
	// key is right.
	Lookup(key string) (name string, ok bool)
}

// HistoryPage is a part of a channel, oldest first.
type HistoryPage struct {
	Frames []wire.Data // whole messages
	Floor  wire.Seq    // the channel's last frame that is gone, 0 = none is
	Last   wire.Seq    // the channel's last frame, gone or not, 0 = none
	// Next is what to ask for to go on, as after if the request had one, else as
	// before; 0 = there is no more.
	Next wire.Seq
}

// Config is what the API works on.
type Config struct {
	Publisher Publisher
	Directory *directory.Writer
	// Signal hands a signal to whoever is connected. Nil = signals are refused.
	Signal func(ch wire.Channel, from string, data wire.Data)
	// History reads frames of ch: the newest limit ones below before, or the
	// oldest limit ones above after (and below before). Nil positions = no bound.
	History func(ctx context.Context, ch wire.Channel, before, after *wire.Seq, limit int) (HistoryPage, error)
	Keys    Keys
	// Cluster is what GET /v1/cluster answers: anything that encodes.
	Cluster func() any
	// Drain has a node of the cluster drain, and returns when it does, or why it doesn't.
	// by is the name of the key that it was asked for with; force also takes one that
	// is needed. Nil = nobody is told.
	Drain func(ctx context.Context, by, node string, force bool) (client.Draining, *wire.Error)
	Epoch string
	Logs  int // number of frame logs
	// Registry takes the metrics. Nil = none are kept.
	Registry prometheus.Registerer
	Logger   *slog.Logger     // nil = none
	Now      func() time.Time // nil = time.Now
}

// api is the handlers' ground. It is fixed after New.
type api struct {
	Config
}

// New is the API as a handler, safe for concurrent use. It registers its metrics.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	a := &api{Config: cfg}
	return a.routes(telemetry.NewHTTPMetrics(cfg.Registry))
}
