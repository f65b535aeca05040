package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// residentOf is the memory that a process has (VmRSS), in bytes.
func residentOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}

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
			n, err := residentOf(pid)
			if err != nil {
				s.err = err
				return
			}
			s.peak = max(s.peak, n)
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

// metric is the sum over the labels of a node's counter, and its parts.
func metric(ctx context.Context, admin, name string) (sum float64, parts map[string]float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	parts = map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		label, ok := strings.CutPrefix(lines.Text(), name+"{")
		if !ok {
			continue
		}
		label, value, _ := strings.Cut(label, "} ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, nil, fmt.Errorf("metric %s: %w", name, err)
		}
		parts[label] = v
		sum += v
	}
	return sum, parts, lines.Err()
}

// varz reads a node's state.
func varz(ctx context.Context, admin string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/varz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}
