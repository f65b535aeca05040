package console

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"selvedge/topology"
	"selvedge/wire/link"
)

//go:embed web
var files embed.FS

// Pages are the console's files. Other pages of this binary look as it does by its
// theme.css and icon.svg.
func Pages() fs.FS {
	pages, err := fs.Sub(files, "web")
	if err != nil {
		panic("console: its pages are not in the binary: " + err.Error())
	}
	return pages
}

// Config says where a console gets what it shows.
type Config struct {
	Self  topology.NodeID
	Nodes func() topology.Snapshot
	Links func() []link.PeerInfo
	// Published is how many frames the logs have taken, ever.
	Published func() uint64
	// Sent is how many bytes the links have carried, ever: to nodes of the core's
	// region, and across oceans.
	Sent  func() (region, ocean uint64)
	Epoch func() string
	Logs  int
}

// Console serves the page and its state. It is safe for concurrent use.
type Console struct {
	cfg Config
	mux *http.ServeMux

	mu    sync.Mutex
	rates rates // guarded by mu
}

// every paces the look at the counters that rates are made of.
const every = time.Second

// New is a console; Run makes its rates move.
func New(cfg Config) *Console {
	c := &Console{cfg: cfg, mux: http.NewServeMux()}
	c.mux.Handle("GET /", http.FileServerFS(Pages()))
	c.mux.HandleFunc("GET /console/state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(c.State()) // a reader that went has no use for it
	})
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Rates are per second, zero before Run has looked twice.
func (c *Console) Rates() Rates {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rates.Rates
}

// Run looks at the counters until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-t.C:
			links, t := c.cfg.Links(), totals{published: c.cfg.Published()}
			t.region, t.ocean = c.cfg.Sent()
			c.mu.Lock()
			c.rates.take(now, t, links)
			c.mu.Unlock()
		}
	}
}
