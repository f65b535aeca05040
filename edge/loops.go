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
