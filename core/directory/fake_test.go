package directory_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stateLog is a state log in memory. A goroutine of its own applies what it has
// to the view, a little later, as a core does.
type stateLog struct {
	mu      sync.Mutex
	records []wire.StateRecord // V = index + 1
	last    map[string]wire.Seq
	fail    func(*wire.StateRecord) error // nil = never
	ends    map[wire.LogID]wire.Seq
	calls   int

	wakes []chan struct{} // one per follower
}

func newStateLog() *stateLog {
	return &stateLog{last: make(map[string]wire.Seq), ends: make(map[wire.LogID]wire.Seq)}
}

func (l *stateLog) AppendState(_ context.Context, appends []corelog.StateAppend) []corelog.StateResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	results := make([]corelog.StateResult, len(appends))
	for i, a := range appends {
		r := a.Record
		if l.fail != nil {
			if err := l.fail(&r); err != nil {
				results[i].Err = err
				continue
			}
		}
		if l.last[r.Key()] != a.Expect {
			results[i].Err = corelog.ErrConflict
			continue
		}
		r.V = wire.Seq(len(l.records) + 1)
		l.last[r.Key()] = r.V
		l.records = append(l.records, r)
		results[i].Seq = r.V
	}
	for _, wake := range l.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	return results
}

func (l *stateLog) End(p wire.LogID) wire.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == wire.StateLog {
		return wire.Seq(len(l.records))
	}
	return l.ends[p]
}

func (l *stateLog) after(seq wire.Seq) []wire.StateRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records[seq:]) // Apply writes in them
}

// compacted is what a log with one record per key still has.
func (l *stateLog) compacted() []wire.StateRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []wire.StateRecord
	for _, r := range l.records {
		if l.last[r.Key()] == r.V {
			out = append(out, r)
		}
	}
	return out
}

// follow applies the log to view until the returned func is called.
func (l *stateLog) follow(t testing.TB, view *directory.View) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done, wake := make(chan struct{}), make(chan struct{}, 1)
	l.mu.Lock()
	l.wakes = append(l.wakes, wake)
	l.mu.Unlock()
	go func() {
		defer close(done)
		for {
			if err := view.Apply(l.after(view.Applied())); err != nil {
				t.Errorf("apply: %v", err)
				return
			}
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// rig is a writer on a fake log and a real view.
type rig struct {
	*directory.Writer
	log  *stateLog
	view *directory.View
}

const logs = 4

func open(t testing.TB, dir, epoch string) *directory.View {
	t.Helper()
	view, err := directory.Open(directory.Config{Dir: dir, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := view.Close(); err != nil {
			t.Error(err)
		}
	})
	return view
}

func newRig(t testing.TB) *rig {
	t.Helper()
	log, view := newStateLog(), open(t, t.TempDir(), "e")
	t.Cleanup(log.follow(t, view))
	return &rig{log: log, view: view, Writer: &directory.Writer{View: view, Log: log, End: log.End, Logs: logs}}
}

func data(t testing.TB, text string) wire.Data {
	t.Helper()
	d, err := wire.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// read is view.Read that fails the test.
func read(t testing.TB, view *directory.View, fn func(*directory.Reader) error) {
	t.Helper()
	if err := view.Read(fn); err != nil {
		t.Fatal(err)
	}
}

func members(t testing.TB, view *directory.View, room wire.RoomID) []wire.UserID {
	t.Helper()
	var all []wire.UserID
	read(t, view, func(r *directory.Reader) error {
		page, next, err := r.Members(room, "", 1000)
		if next != "" {
			t.Errorf("more than one page of members")
		}
		all = page
		return err
	})
	return all
}
