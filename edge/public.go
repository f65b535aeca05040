package edge

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"selvedge/edge/door"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/internal/telemetry"
)

// socketPath is where clients ask for a socket.
const socketPath = "/v1/socket"

// serve serves the public port until ctx ends.
func (n *edgeNode) serve(ctx context.Context, ln net.Listener) error {
	cfg := door.Config{
		Path: socketPath, Check: n.upgrader().Check, Open: n.open, Take: n.take,
		HTTP: &http.Server{
			Handler: n.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: telemetry.ServerLog(n.cfg.Logger),
		},
		Limit: n.limit, Sockets: n.sockets, MaxHandshakes: n.cfg.MaxHandshakes, Timeout: n.cfg.HandshakeTimeout,
		Rate: n.cfg.AcceptRate, Burst: n.cfg.AcceptBurst,
		Proxy: n.cfg.ProxyProtocol, ProxyFrom: n.cfg.ProxyFrom,
		Result: func(r door.Result) { n.metrics.accepts.WithLabelValues(string(r)).Inc() }, Logger: n.cfg.Logger,
	}
	if n.cfg.TLS != nil {
		cfg.TLS = n.cfg.TLS.TLS()
	} else {
		var err error
		if cfg.Loops, err = newAcceptors(n.cfg.Transport, n.transportConfig()); err != nil {
			return err
		}
	}
	d := door.New(cfg)
	n.door.Store(d)
	return d.Run(ctx, ln)
}

func (n *edgeNode) upgrader() websocket.Upgrader {
	return websocket.Upgrader{CheckOrigin: n.allowed, Deflate: n.cfg.Compression}
}

// transportConfig is how sockets are served, also before they are sockets.
func (n *edgeNode) transportConfig() transport.Config {
	return transport.Config{UserTimeout: 2 * n.cfg.Ping}
}

// open says whether sockets are taken.
func (n *edgeNode) open() bool {
	return n.world.Load() != nil && !n.draining.Load() && n.sockets() < n.limit
}

// take hands a client that has shaken hands to the engine.
func (n *edgeNode) take(a *door.Arrival) error {
	w := n.world.Load()
	return a.Enter(w.engine, w.sessions.NewSession(bearer(a.Request)))
}

// bearer is the token in a request's header, if there is one.
func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}
