package door

import (
	"testing"
	"time"

	"selvedge/edge/transport"
)

// loopWays are the ways in by loops.
func loopWays() []way {
	loops := func(n int) func(testing.TB, *Config) {
		return func(t testing.TB, cfg *Config) {
			for range n {
				cfg.Loops = append(cfg.Loops, newAcceptor(t))
			}
		}
	}
	return []way{{name: "loop", setup: loops(1)}, {name: "two loops", setup: loops(2)}}
}

func newAcceptor(t testing.TB) transport.Acceptor { return newEpoll(t).(transport.Acceptor) }

func newEpoll(t testing.TB) transport.Loop {
	t.Helper()
	l, err := transport.NewEpoll(transport.Config{TickEvery: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newSink is a loop that takes what a door hands on.
func newSink(t testing.TB) transport.Loop { return newEpoll(t) }
