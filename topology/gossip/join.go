package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// joiner keeps this node in touch with its seeds: while it is alone it tries them
// until one answers, and later those that aren't among the live nodes, and nodes
// that vanished. Without the latter a seed that was away for longer than its death
// is gossiped about would never be found again, and a cluster that fell apart would
// stay in parts.
type joiner struct {
	// Fixed.
	g      *Gossip
	logger *slog.Logger
	seeds  []string

	// Of run.
	told    string // the failure that was last logged, so that each is once
	company bool   // the last round ended with other nodes alive

	conflict time.Time // when another node was last known to have our name

	mu      sync.Mutex
	failure error // why we are alone
	retired bool
	rounds  int // done so far
}

func newJoiner(g *Gossip, seeds []string) *joiner {
	return &joiner{g: g, logger: g.logger, seeds: seeds}
}

func (j *joiner) run(ctx context.Context) {
	changed, stop := j.g.members.watch()
	defer stop()
	wait := j.g.timing.Retry
	for {
		seen, alone := j.g.members.generation(), j.g.members.alone()
		complete := j.round(ctx)
		timer := time.NewTimer(jitter(wait))
		wait = min(2*wait, j.g.timing.RetryMax)
		if complete {
			timer.Stop()
			wait = j.g.timing.Retry
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
				again = true
			case <-changed:
				// Who came or went may be a seed. While one is missing that must not
				// shorten the wait, unless it made us alone.
				gone := j.g.members.generation() != seen
				again = gone && (complete || !alone && j.g.members.alone())
			}
		}
		timer.Stop()
	}
}

// jitter spreads nodes that began together: d, give or take a quarter.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}

// round tries each seed that isn't a live node. It is true if there is nothing to
// try again before somebody comes or goes.
func (j *joiner) round(ctx context.Context) bool {
	if j.isRetired() {
		return true
	}
	conflicted := j.contested()
	j.g.members.forgetSelfConflict()
	complete := true
	var failures []error
	for _, seed := range j.seeds {
		addrs, err := resolve(ctx, seed)
		if err != nil {
			failures = append(failures, err)
			complete = false
			continue
		}
		for _, addr := range addrs {
			// With a conflict everyone must hear of us again: maybe the name is free now.
			if j.g.members.has(addr) && (!conflicted || addr.String() == j.g.addr) {
				continue
			}
			err := j.joinOne(ctx, addr)
			if err != nil {
				failures = append(failures, err)
			}
			// A seed may answer while it is leaving, and be no live node after that.
			complete = complete && err == nil && j.g.members.has(addr)
		}
	}
	if ctx.Err() != nil {
		return false
	}
	j.report(failures)
	if j.findLost(ctx) {
		complete = false
	}
	return complete && (len(j.seeds) == 0 || !j.g.members.alone()) && !j.contested()
}

// contested says that another node has, or a moment ago had, our name. Once that
// node is suspected we hear no more of it, but the others keep the name from us
// until reclaimAfter its death: they must hear of us again after that.
func (j *joiner) contested() bool {
	if j.g.members.selfConflict() != nil {
		j.conflict = time.Now()
	}
	t := j.g.timing
	dying := 2*time.Duration(t.SuspicionProbes)*t.Probe + reclaimAfter
	return !j.conflict.IsZero() && time.Since(j.conflict) < dying+2*t.RetryMax
}

func (j *joiner) joinOne(ctx context.Context, addr netip.AddrPort) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	try := j.g.transport.begin(addr.String())
	_, err := j.g.list.Join([]string{addr.String()})
	j.g.transport.finish()
	if err == nil {
		return nil
	}
	return try.explain(addr, err)
}

// report keeps and logs what a round found, if it is news.
func (j *joiner) report(failures []error) {
	alone := j.g.members.alone()
	failure := errors.Join(failures...)
	var text string
	if failure != nil {
		text = strconv.FormatBool(alone) + failure.Error()
	}
	news := text != j.told
	j.told = text
	joined := !alone && !j.company && len(j.seeds) > 0
	j.company = !alone

	j.mu.Lock()
	j.rounds++
	j.failure = nil
	if alone {
		j.failure = failure
	}
	j.mu.Unlock()

	if joined {
		j.logger.Info("joined the cluster", "nodes", j.g.members.snapshot().Len())
		if j.g.events.Joined != nil {
			j.g.events.Joined()
		}
	}
	switch {
	case alone && failure != nil && news:
		j.logger.Error("no seed could be joined; trying on", "err", failure)
		if j.g.events.JoinFailed != nil {
			j.g.events.JoinFailed(failure)
		}
	case failure != nil && news:
		j.logger.Warn("a seed can't be reached; trying on", "err", failure)
	}
}

func (j *joiner) lastError() error {
	conflict := j.g.members.selfConflict()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure != nil && j.g.members.alone() {
		return j.failure
	}
	return conflict
}

// retire ends joining: who has left doesn't come back.
func (j *joiner) retire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.retired = true
}

func (j *joiner) isRetired() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.retired
}

// resolve returns the addresses of a host:port.
func resolve(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w: %q is no host:port", ErrBadConfig, hostPort)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w: %q has no port between 0 and 65535", ErrBadConfig, hostPort)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), uint16(port))}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("gossip: %s can't be resolved: %w", hostPort, err)
	}
	out := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		out[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return out, nil
}
