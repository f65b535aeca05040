package faults

import (
	"sync"
	"time"

	"selvedge/simulations/load"
)

// sampler looks at the memory of a process five times a second.
type sampler struct {
	quit    chan struct{}
	running sync.WaitGroup
	peak    int64 // valid after stop
	err     error // valid after stop
}

func sample(pid int) *sampler {
	s := &sampler{quit: make(chan struct{})}
	s.running.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			m, err := load.MemoryOf(pid)
			if err != nil {
				s.err = err
				return
			}
			s.peak = max(s.peak, m.Resident)
			select {
			case <-tick.C:
			case <-s.quit:
				return
			}
		}
	})
	return s
}

// stop ends the looking, and returns the most that was seen.
func (s *sampler) stop() (int64, error) {
	close(s.quit)
	s.running.Wait()
	return s.peak, s.err
}
