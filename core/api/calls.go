package api

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"selvedge/internal/telemetry"
	"selvedge/wire"
)

// callTime bounds what a call does after its body was read.
const callTime = time.Minute

// retryAfter is what a caller is told to wait when the log is unavailable, in seconds.
const retryAfter = 1

//go:embed openapi.json
var openAPI []byte

// answer is what a call answers if it does not fail.
type answer struct {
	status int
	body   any // nil = none
}

func ok(body any) (answer, error) { return answer{http.StatusOK, body}, nil }

// call is one line of the API.
type call struct {
	name   string // the metrics' label, and the OpenAPI document's operationId
	method string
	path   string
	serve  func(*api, context.Context, *request) (answer, error)
	open   bool // needs no key
}

// calls is the whole API.
func calls() []call {
	return []call{
		{"publish", "POST", "/v1/publish", (*api).publish, false},
		{"publishBatch", "POST", "/v1/publish/batch", (*api).publishBatch, false},
		{"listUsers", "GET", "/v1/users", (*api).listUsers, false},
		{"putUsers", "POST", "/v1/users/batch", (*api).putUsers, false},
		{"getUser", "GET", "/v1/users/{id}", (*api).getUser, false},
		{"putUser", "PUT", "/v1/users/{id}", (*api).putUser, false},
		{"patchUser", "PATCH", "/v1/users/{id}", (*api).patchUser, false},
		{"deleteUser", "DELETE", "/v1/users/{id}", (*api).deleteUser, false},
		{"listUserRooms", "GET", "/v1/users/{id}/rooms", (*api).listUserRooms, false},
		{"changeUserRooms", "POST", "/v1/users/{id}/rooms", (*api).changeUserRooms, false},
		{"listRooms", "GET", "/v1/rooms", (*api).listRooms, false},
		{"putRooms", "POST", "/v1/rooms/batch", (*api).putRooms, false},
		{"getRoom", "GET", "/v1/rooms/{id}", (*api).getRoom, false},
		{"putRoom", "PUT", "/v1/rooms/{id}", (*api).putRoom, false},
		{"patchRoom", "PATCH", "/v1/rooms/{id}", (*api).patchRoom, false},
		{"deleteRoom", "DELETE", "/v1/rooms/{id}", (*api).deleteRoom, false},
		{"listMembers", "GET", "/v1/rooms/{id}/members", (*api).listMembers, false},
		{"changeMembers", "POST", "/v1/rooms/{id}/members", (*api).changeMembers, false},
		{"replaceMembers", "PUT", "/v1/rooms/{id}/members", (*api).replaceMembers, false},
		{"history", "GET", "/v1/channels/{ch}/history", (*api).history, false},
		{"cluster", "GET", "/v1/cluster", (*api).cluster, false},
		{"drainNode", "POST", "/v1/cluster/nodes/{node}/drain", (*api).drain, false},
		{"openapi", "GET", "/v1/openapi.json", nil, true},
	}
}

// routes makes one handler per path, which knows the methods that the path has.
func (a *api) routes(metrics *telemetry.HTTPMetrics) http.Handler {
	mux := http.NewServeMux()
	paths := make(map[string]map[string]http.Handler)
	for _, c := range calls() {
		h := http.Handler(http.HandlerFunc(serveOpenAPI))
		if c.serve != nil {
			h = a.handler(c)
		}
		if paths[c.path] == nil {
			paths[c.path] = make(map[string]http.Handler)
		}
		paths[c.path][c.method] = metrics.Instrument(c.name, h)
	}
	for path, methods := range paths {
		if one := strings.TrimSuffix(path, "batch") + "{id}"; paths[one] != nil {
			// A user may be called "batch": whatever is no POST means that one.
			path = http.MethodPost + " " + path
		}
		mux.Handle(path, a.byMethod(methods, metrics))
	}
	mux.Handle("/", metrics.Instrument("unknown", a.refuse(func(r *http.Request) *problem {
		return &problem{Code: wire.NotFound, Message: "there is no " + r.URL.Path + ": the calls are in /v1/openapi.json"}
	})))
	return mux
}

func (a *api) byMethod(methods map[string]http.Handler, metrics *telemetry.HTTPMetrics) http.Handler {
	var names []string
	for name := range methods {
		names = append(names, name)
		if name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	allow := strings.Join(names, ", ")
	other := metrics.Instrument("unknown", a.refuse(func(r *http.Request) *problem {
		return &problem{Code: wire.MethodNotAllowed, Message: r.Method + " is not for " + r.URL.Path + ": use " + allow, allow: allow}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h, ok := methods[method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

func (a *api) refuse(why func(*http.Request) *problem) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(newRequest(w, r), "", why(r))
	})
}

// handler is a call with its key checked, its time bounded and its answer encoded.
func (a *api) handler(c call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := newRequest(w, r)
		if err := a.authenticate(q); err != nil {
			a.fail(q, c.name, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), bodyTime+callTime)
		defer cancel()
		answer, err := c.serve(a, ctx, q)
		if err != nil {
			a.fail(q, c.name, err)
			return
		}
		a.send(q, answer.status, answer.body)
	})
}

func (a *api) fail(q *request, name string, err error) {
	p, known := asProblem(err)
	switch {
	case !known:
		a.Logger.ErrorContext(q.Context(), "api: a call failed", slog.String("call", name), slog.Any("error", err))
	case p.Code == wire.Unavailable && !errors.Is(err, context.Canceled):
		a.Logger.DebugContext(q.Context(), "api: unavailable", slog.String("call", name), slog.Any("error", err))
	}
	header := q.w.Header()
	switch p.Code {
	case wire.Unauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="selvedge"`)
	case wire.MethodNotAllowed:
		header.Set("Allow", p.allow)
	case wire.Unavailable, wire.RateLimited:
		header.Set("Retry-After", strconv.Itoa(cmp.Or(p.again, retryAfter)))
	default: // the status says it all
	}
	a.send(q, p.status(), failure{p})
}

// send encodes and writes an answer.
func (a *api) send(q *request, status int, body any) {
	_ = http.NewResponseController(q.w).SetWriteDeadline(time.Now().Add(answerTime))
	if body == nil {
		q.w.WriteHeader(status)
		return
	}
	b, err := q.answer.Append(nil, body)
	if err != nil {
		a.Logger.ErrorContext(q.Context(), "api: encode an answer", slog.Any("error", err))
		http.Error(q.w, `{"error":{"code":"internal","message":"the core failed: look at its log"}}`, http.StatusInternalServerError)
		return
	}
	header := q.w.Header()
	header.Set("Content-Type", q.answer.ContentType())
	header.Set("Content-Length", strconv.Itoa(len(b)))
	header.Set("Cache-Control", "no-store")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(b) // a caller that is gone needs no answer
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(openAPI)))
	_, _ = w.Write(openAPI)
}
