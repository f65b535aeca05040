package telemetry

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Ready says whether a node is fit for traffic: it is when no condition holds a
// reason against it. Safe for concurrent use.
type Ready struct {
	mu      sync.Mutex
	names   []string          // guarded by mu; in order of first mention
	reasons map[string]string // guarded by mu; by condition, only those not met
}

// NewReady starts with every condition unmet, for the reason "starting".
func NewReady(conditions ...string) *Ready {
	r := &Ready{reasons: map[string]string{}}
	for _, c := range conditions {
		r.Unmet(c, "starting")
	}
	return r
}

// Met takes back what stood against a condition.
func (r *Ready) Met(condition string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reasons, condition)
}

// Unmet makes the node unfit for traffic, for a reason that a person can read.
// Conditions that NewReady did not name are welcome: "drain" is one.
func (r *Ready) Unmet(condition, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := false
	for _, name := range r.names {
		known = known || name == condition
	}
	if !known {
		r.names = append(r.names, condition)
	}
	r.reasons[condition] = reason
}

// Reasons lists what stands against the node, as "condition: reason". Empty
// means fit for traffic.
func (r *Ready) Reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, name := range r.names {
		if reason, unmet := r.reasons[name]; unmet {
			all = append(all, name+": "+reason)
		}
	}
	return all
}

// Detailed answers /readyz on an admin port: 200, or 503 with the reasons.
func (r *Ready) Detailed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, r.Reasons(), true)
	})
}

// Status answers /readyz on a public port: the same status, no reasons.
func (r *Ready) Status() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, r.Reasons(), false)
	})
}

// Alive answers /healthz: 200 as long as the process answers at all.
func Alive() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, false) })
}

func answer(w http.ResponseWriter, reasons []string, tell bool) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	text := "ok"
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not ready"
		if tell {
			text = strings.Join(reasons, "\n")
		}
	}
	_, _ = fmt.Fprintln(w, text) // a prober that hangs up has its answer
}
