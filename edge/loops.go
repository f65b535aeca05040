package edge

import (
	"fmt"
	"runtime"

	"selvedge/edge/transport"
)

// DefaultTransport is how this system serves sockets best.
func DefaultTransport() string {
	if runtime.GOOS == "linux" {
		return "epoll"
	}
	return "portable"
}

// newLoops makes one loop per CPU.
func newLoops(kind string, cfg transport.Config) ([]transport.Loop, error) {
	loops := make([]transport.Loop, runtime.GOMAXPROCS(0))
	for i := range loops {
		if kind == "portable" {
			loops[i] = transport.NewPortable(cfg)
			continue
		}
		var err error
		if loops[i], err = transport.NewEpoll(cfg); err != nil {
			return nil, fmt.Errorf("--transport %s: %w", kind, err)
		}
	}
	return loops, nil
}

// newAcceptors makes the loops that take connections in; none if the transport
// has no such loops. It is one: two that share a listener, or have one each by
// SO_REUSEPORT, cost as much for each connection (BenchmarkDoor in edge/door),
// and with SO_REUSEPORT nobody would notice that another process has the address.
func newAcceptors(kind string, cfg transport.Config) ([]transport.Acceptor, error) {
	if kind == "portable" {
		return nil, nil
	}
	l, err := transport.NewEpoll(cfg)
	if err != nil {
		return nil, fmt.Errorf("--transport %s: %w", kind, err)
	}
	a, ok := l.(transport.Acceptor)
	if !ok {
		return nil, nil
	}
	return []transport.Acceptor{a}, nil
}
