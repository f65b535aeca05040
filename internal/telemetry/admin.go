package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminConfig is what an admin port shows.
type AdminConfig struct {
	Registry *prometheus.Registry // /metrics; required
	Ready    *Ready               // /readyz; required
	Varz     func() any           // /varz, as JSON; nil = an empty object. Called from many goroutines
	Mount    http.Handler         // every other path; nil = 404
	Network  Network              // opens the port; nil = the system's
	Logger   *slog.Logger         // nil = silence
}

// Admin is the server of a node's admin port: /metrics, /healthz, /readyz,
// /varz and /debug/pprof/. It has no authentication: it belongs on loopback or
// on a private network.
type Admin struct {
	server   *http.Server
	listener net.Listener
	done     chan struct{} // closed by the serving goroutine when it ends
}

// StartAdmin listens on addr (host:port) and serves until Close. The error of an
// occupied port wraps ErrAddrInUse.
func StartAdmin(addr string, cfg AdminConfig) (*Admin, error) {
	listener, err := OpenedBy(cfg.Network).Listen("admin", addr, "admin-addr")
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	a := &Admin{
		listener: listener,
		done:     make(chan struct{}),
		server: &http.Server{
			Handler:           AdminHandler(cfg),
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          ServerLog(logger),
		},
	}
	go func() {
		defer close(a.done)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("admin port stopped serving", "error", err)
		}
	}()
	return a, nil
}

// Addr is the address that the server listens on, with the port that ":0" got.
func (a *Admin) Addr() string { return a.listener.Addr().String() }

// Close lets running requests end until ctx does, then cuts them, and returns
// when nothing of the server runs any more.
func (a *Admin) Close(ctx context.Context) error {
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, a.server.Close())
	}
	<-a.done
	return err
}

// AdminHandler is the admin port without the port.
func AdminHandler(cfg AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{Registry: cfg.Registry}))
	mux.Handle("GET /healthz", Alive())
	mux.Handle("GET /readyz", cfg.Ready.Detailed())
	mux.Handle("GET /varz", varz(cfg.Varz))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if cfg.Mount != nil {
		mux.Handle("/", cfg.Mount)
	}
	return mux
}

func varz(values func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var v any = struct{}{}
		if values != nil {
			v = values()
		}
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(text, '\n')) // whoever hung up needs no answer
	})
}
