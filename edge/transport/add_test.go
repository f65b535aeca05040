package transport

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAddLimits(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		closed := make(chan error, 8)
		r := start(t, sub, Config{MaxConns: 2}, func(s *shard) {
			s.closed = func(_ *Conn, err error) { closed <- err }
		})
		first := r.dial(nil, nil)
		r.dial(nil, nil)
		ours, theirs := sub.pair(t)
		if err := r.Add(ours, nil, nil); !errors.Is(err, ErrFull) {
			t.Errorf("third Add = %v, want ErrFull", err)
		}
		expectEnd(t, theirs)
		_ = first.Close()
		if err := receive(t, closed); err != nil {
			t.Errorf("Closed: %v", err)
		}
		r.dial(nil, nil) // there is room again
		r.end(nil)
		ours, theirs = sub.pair(t)
		if err := r.Add(ours, nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Add after Run = %v, want ErrClosed", err)
		}
		expectEnd(t, theirs)
		r.Wake() // harmless
		if err := r.Run(t.Context(), &shard{t: t}); !errors.Is(err, ErrClosed) {
			t.Errorf("second Run = %v, want ErrClosed", err)
		}
	})
}

// Adds while the loop runs, ends and has ended: each conn that was accepted
// gets one Closed, each that was not is closed too.
func TestAddAcrossTheEnd(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		var accepted, closed atomic.Int64
		r := start(t, sub, Config{}, func(s *shard) {
			s.closed = func(*Conn, error) { closed.Add(1) }
		})
		refused := make(chan struct{}, 4)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					ours, theirs := sub.pair(t)
					err := r.Add(ours, nil, nil)
					if err == nil {
						if accepted.Add(1) == 20 {
							r.stop(nil)
						}
						continue
					}
					if !errors.Is(err, ErrClosed) {
						t.Errorf("Add: %v", err)
					}
					expectEnd(t, theirs)
					refused <- struct{}{}
					return
				}
			})
		}
		wg.Wait()
		r.end(nil)
		if accepted.Load() != closed.Load() {
			t.Errorf("%d accepted, %d closed", accepted.Load(), closed.Load())
		}
	})
}

// A conn that waits for a loop whose context is over is closed all the same.
func TestAddBeforeRun(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		l := sub.make(t, Config{})
		ours, theirs := sub.pair(t)
		if err := l.Add(ours, nil, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errTest)
		var got []error
		s := &shard{t: t, seen: map[*Conn]bool{}, closed: func(_ *Conn, err error) { got = append(got, err) }}
		if err := l.Run(ctx, s); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || !errors.Is(got[0], errTest) {
			t.Errorf("Closed with %v", got)
		}
		expectEnd(t, theirs)
	})
}

// A loop that is just falling asleep sees who comes: no tick helps.
func TestAddWakes(t *testing.T) {
	for _, sub := range subjects() {
		if sub.wrap != nil {
			continue // it is the loop's own affair
		}
		t.Run(sub.name, func(t *testing.T) {
			r := start(t, sub, Config{}, func(s *shard) {
				s.data = func(c *Conn, b []byte) error { c.Close(errTest); return nil }
			})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range 300 {
						ours, theirs := tcpPair(t)
						if err := r.Add(ours, nil, nil); err != nil {
							t.Errorf("Add: %v", err)
						}
						if n, err := theirs.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
							t.Errorf("peer's read = %d, %v; want the end", n, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
