package door

import (
	"context"
	"sync"
	"time"
)

// callEvery paces the look at who can be called in.
const callEvery = 20 * time.Millisecond

// lobby is the line of clients that have a goroutine each. Safe for concurrent
// use.
type lobby struct {
	now  func() time.Time
	kick chan struct{} // capacity 1, never closed: somebody waits

	mu   sync.Mutex
	line *line // guarded by mu; nil = nobody ever waits
}

func newLobby(l *line, now func() time.Time) *lobby {
	return &lobby{now: now, kick: make(chan struct{}, 1), line: l}
}

// enter returns when a client may have its socket, or is refused. Once ctx has
// ended it may be either.
func (l *lobby) enter(ctx context.Context, back bool) bool {
	l.mu.Lock()
	if l.line.pass(l.now()) {
		l.mu.Unlock()
		return true
	}
	t := &ticket{back: back, called: make(chan bool, 1)}
	refused := l.line.join(l.now(), t)
	l.mu.Unlock()
	if refused == t {
		return false
	}
	if refused != nil {
		refused.called <- false
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
	select {
	case in := <-t.called:
		return in
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		l.line.leave(t)
		return false
	}
}

// run calls those who wait until ctx ends.
func (l *lobby) run(ctx context.Context) {
	t := time.NewTicker(callEvery)
	defer t.Stop()
	for {
		select {
		case <-l.kick:
		case <-ctx.Done():
			return
		}
		t.Reset(callEvery)
		for l.call() {
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
		t.Stop()
	}
}

// call calls whom there are tokens for, and refuses those who have waited too
// long; false = nobody waits any more.
func (l *lobby) call() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for t := l.line.call(now); t != nil; t = l.line.call(now) {
		t.called <- true
	}
	for t := l.line.late(now); t != nil; t = l.line.late(now) {
		t.called <- false
	}
	return l.line.len() > 0
}
