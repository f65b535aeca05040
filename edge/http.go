package edge

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"selvedge/edge/door"
	"selvedge/internal/telemetry"
	"selvedge/topology"
	"selvedge/wire"
)

// handler is the public port: sockets, discovery and health.
func (n *edgeNode) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+socketPath, n.socket)
	mux.HandleFunc("GET /v1/ping", n.ping)
	mux.HandleFunc("GET /v1/edges", n.edges)
	mux.Handle("GET /healthz", telemetry.Alive())
	mux.Handle("GET /readyz", n.ready.Status())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, wire.NotFound, r.Method+" "+r.URL.Path+" is not served here: clients use /v1/socket, /v1/edges and /v1/ping")
	})
	return n.cors(mux)
}

func fail(w http.ResponseWriter, status int, code wire.Code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went has no use for it
}

// allowed reports whether pages of an origin may talk to this edge.
func (n *edgeNode) allowed(origin string, r *http.Request) bool {
	if slices.Contains(n.cfg.AllowedOrigins, "*") || slices.Contains(n.cfg.AllowedOrigins, origin) {
		return true
	}
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// cors lets the pages of allowed origins read the answers.
func (n *edgeNode) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			w.Header().Add("Vary", "Origin")
			if n.allowed(origin, r) {
				w.Header().Set("Access-Control-Allow-Origin", origin)
				w.Header().Set("Timing-Allow-Origin", origin)
			}
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Methods", "GET")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// ping is for races of round trips, which an edge that is going away must not win.
func (n *edgeNode) ping(w http.ResponseWriter, _ *http.Request) {
	if n.draining.Load() {
		fail(w, http.StatusServiceUnavailable, wire.Unavailable, "this edge is going away")
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": n.cfg.Name, "region": n.cfg.Region.Name})
}

// What comes of requests for a socket beside the door's own results.
const (
	resultRefused     door.Result = "refused"     // no handshake, or a page that may not
	resultUnavailable door.Result = "unavailable" // no link yet, or the edge is going away
)

// socket answers requests for a socket that the door did not take: when there
// is none to be had, when they are refused, and those on a connection that was
// used for something else before.
func (n *edgeNode) socket(w http.ResponseWriter, r *http.Request) {
	world := n.world.Load()
	result := door.Taken
	defer func() { n.metrics.accepts.WithLabelValues(string(result)).Inc() }()
	switch {
	case world == nil || n.draining.Load():
		result = resultUnavailable
		refuse(w, 1+rand.N(3*time.Second), "this edge has no link to a core yet, or is going away: try another, or again")
		return
	case n.sockets() >= n.limit:
		result = door.Full
		refuse(w, 1+rand.N(10*time.Second), "this edge is full: try another")
		return
	case !n.admits():
		result = door.Refused
		refuse(w, n.door.Load().Again(), "this edge takes no more sockets per second: come again as Retry-After says, or try another")
		return
	}
	conn, early, agreed, err := n.upgrader().Upgrade(w, r)
	if err != nil {
		result = resultRefused
		return
	}
	conn, rest := door.Release(conn)
	if err := world.engine.Attach(conn, append(early, rest...), agreed, world.sessions.NewSession(bearer(r))); err != nil {
		result = door.Failed
		n.cfg.Logger.Warn("a socket was not taken", "err", err)
	}
}

// edges ranks the edges for a client. While this one refuses clients for their
// number, it says when to come to it; others may have room.
func (n *edgeNode) edges(w http.ResponseWriter, r *http.Request) {
	o, err := n.rankOptions(r)
	if err != nil {
		fail(w, http.StatusBadRequest, wire.BadRequest, err.Error())
		return
	}
	list := topology.RankEdges(n.gossip.Snapshot(), o)
	if list == nil {
		list = []topology.RankedEdge{}
	}
	body := map[string]any{"edges": list}
	if ms := n.again(); ms > 0 {
		body["retry_after_ms"] = ms
	}
	answer(w, http.StatusOK, body)
}

// within is false for NaN, too.
func within(degrees, most float64) bool { return math.Abs(degrees) <= most }

func (n *edgeNode) rankOptions(r *http.Request) (topology.RankOptions, error) {
	q := r.URL.Query()
	o := topology.RankOptions{Region: n.cfg.Region.Name, Team: q.Get("team"), Spread: rand.Uint64()}
	if lat, lon := q.Get("lat"), q.Get("lon"); lat != "" || lon != "" {
		if o.Lat, o.Lon, o.HasPoint = parsePlace(lat, lon); !o.HasPoint {
			return o, errors.New("lat and lon must be degrees: -90 to 90 and -180 to 180")
		}
	} else if n.cfg.TrustGeoHeaders {
		o.Lat, o.Lon, o.HasPoint = headerPlace(r.Header)
	}
	if s := q.Get("limit"); s != "" {
		var err error
		if o.Limit, err = strconv.Atoi(s); err != nil || o.Limit < 1 {
			return o, errors.New("limit must be a positive number")
		}
	}
	return o, nil
}
