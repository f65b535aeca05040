package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"selvedge/core/api"
	"selvedge/core/client"
	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/topology"
	"selvedge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const logs = 4

// fakeLog is all logs in memory. What it takes of the state log the view has
// applied at once.
type fakeLog struct {
	mu    sync.Mutex
	view  *directory.View
	last  map[string]wire.Seq
	state wire.Seq
	posts []wire.Post
	by    []string                // publisher of each post
	fail  func(*wire.Post) error  // nil = never
	begin func(context.Context)   // called without the lock, nil = nothing
	calls map[wire.Channel]int    // attempts
	end   map[wire.LogID]wire.Seq // of the frame logs
}

func (l *fakeLog) AppendState(_ context.Context, appends []corelog.StateAppend) []corelog.StateResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	results := make([]corelog.StateResult, len(appends))
	var taken []wire.StateRecord
	for i, a := range appends {
		if l.last[a.Record.Key()] != a.Expect {
			results[i].Err = corelog.ErrConflict
			continue
		}
		l.state++
		a.Record.V = l.state
		l.last[a.Record.Key()] = l.state
		results[i].Seq = l.state
		taken = append(taken, a.Record)
	}
	if err := l.view.Apply(taken); err != nil {
		panic(err)
	}
	return results
}

func (l *fakeLog) Publish(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error) {
	if l.begin != nil {
		l.begin(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[post.Ch]++
	if l.fail != nil {
		if err := l.fail(post); err != nil {
			return corelog.Placed{}, err
		}
	}
	p := wire.LogOf(post.Ch, logs)
	for i := range l.posts {
		if post.MsgID != "" && l.posts[i].MsgID == post.MsgID && l.posts[i].Ch == post.Ch && l.by[i] == publisher {
			if !l.posts[i].Same(post) {
				return corelog.Placed{}, corelog.ErrIDReused
			}
			return corelog.Placed{P: p, Seq: wire.Seq(i + 1), Duplicate: true}, nil
		}
	}
	l.posts = append(l.posts, *post)
	l.by = append(l.by, publisher)
	return corelog.Placed{P: p, Seq: wire.Seq(len(l.posts))}, nil
}

func (l *fakeLog) End(p wire.LogID) wire.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == wire.StateLog {
		return l.state
	}
	return l.end[p]
}

type keys map[string]string

func (k keys) Lookup(key string) (string, bool) { name, ok := k[key]; return name, ok }

// rig is the API on a fake log.
type rig struct {
	http.Handler
	log      *fakeLog
	registry *prometheus.Registry
	mu       sync.Mutex
	signals  []wire.Signal
	drained  []string // who asked for whom
}

func now() time.Time { return time.UnixMilli(1_767_225_600_000) }

func newRig(t testing.TB) *rig {
	t.Helper()
	view, err := directory.Open(directory.Config{Dir: t.TempDir(), Epoch: "e1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := view.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{
		log:      &fakeLog{view: view, last: map[string]wire.Seq{}, calls: map[wire.Channel]int{}, end: map[wire.LogID]wire.Seq{}},
		registry: prometheus.NewRegistry(),
	}
	r.Handler = api.New(api.Config{
		Publisher: corelog.Count(r.log, r.registry),
		Directory: &directory.Writer{View: view, Log: r.log, End: r.log.End, Logs: logs},
		Signal: func(ch wire.Channel, from string, data wire.Data) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.signals = append(r.signals, wire.Signal{Ch: ch, From: from, Data: data})
		},
		History:  r.history,
		Keys:     keys{"dev": "dev", "other-key": "other"},
		Cluster:  func() any { return map[string]any{"nodes": []string{"core-1"}} },
		Drain:    r.drain,
		Epoch:    "e1",
		Logs:     logs,
		Registry: r.registry,
		Now:      now,
	})
	return r
}

// drain knows the nodes edge-1, and general, which is needed.
func (r *rig) drain(_ context.Context, by, node string, force bool) (client.Draining, *wire.Error) {
	switch {
	case node != "edge-1" && node != "general":
		return client.Draining{}, &wire.Error{Code: wire.NotFound, Message: "there is no node " + node}
	case node == "general" && !force:
		return client.Draining{}, &wire.Error{Code: wire.Conflict, Message: "general is needed"}
	}
	r.drained = append(r.drained, by+" "+node)
	return client.Draining{Node: topology.NodeID(node), Role: topology.RoleEdge, State: topology.StateDraining}, nil
}

// history answers every frame there is, whatever is asked for, and echoes the
// bounds in its numbers.
func (r *rig) history(_ context.Context, ch wire.Channel, before, after *wire.Seq, limit int) (api.HistoryPage, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	var page api.HistoryPage
	for i, p := range r.log.posts {
		if p.Ch == ch && len(page.Frames) < limit {
			page.Frames = append(page.Frames, wire.AppendFrame(nil, wire.LogOf(ch, logs), wire.Seq(i+1), 0, wire.AppendBody(nil, &p)))
		}
	}
	page.Last = wire.Seq(len(r.log.posts))
	if before != nil {
		page.Next = *before
	}
	if after != nil {
		page.Floor = *after
	}
	return page, nil
}

// ask sends a request with the key "dev" and returns status and body.
func (r *rig) ask(t testing.TB, method, path, body string, header ...string) (int, string) {
	t.Helper()
	w := r.do(method, path, strings.NewReader(body), header...)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func (r *rig) do(method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, body)
	request.Header.Set("Authorization", "Bearer dev")
	for i := 0; i < len(header); i += 2 {
		request.Header.Del(header[i])
		if header[i+1] != "" {
			request.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

// must is ask that expects a status.
func (r *rig) must(t testing.TB, status int, method, path, body string, header ...string) string {
	t.Helper()
	got, answer := r.ask(t, method, path, body, header...)
	if got != status {
		t.Errorf("%s %s %s: got %d %s, want %d", method, path, clip(body), got, clip(answer), status)
	}
	return answer
}

// problemOf is code and field of an error's body.
func problemOf(t testing.TB, body string) (code, field, message string) {
	t.Helper()
	var failure struct {
		Error struct{ Code, Message, Field string } `json:"error"`
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&failure); err != nil || failure.Error.Code == "" || failure.Error.Message == "" || strings.Contains(failure.Error.Message, "\n") {
		t.Errorf("%q is no error of the contract: %v", clip(body), err)
	}
	return failure.Error.Code, failure.Error.Field, failure.Error.Message
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}
