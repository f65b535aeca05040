package gossip

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// lostFor is how long a node that vanished is looked for.
	lostFor = 24 * time.Hour
	// maxLost bounds how many are; of more, the ones that vanished last.
	maxLost = 256
)

// lost are the addresses of nodes that vanished without a goodbye: they may be
// behind a partition, which nobody crosses by itself, for memberlist speaks only to
// those that it takes for alive. Seeds do not replace them: those of each half may
// all be in that half.
type lost struct {
	mu    sync.Mutex
	since map[netip.AddrPort]time.Time
}

func newLost() *lost { return &lost{since: map[netip.AddrPort]time.Time{}} }

func (l *lost) add(addr netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since[addr] = time.Now()
	if len(l.since) > maxLost {
		first := addr
		for a, at := range l.since {
			if c := at.Compare(l.since[first]); c < 0 || c == 0 && cmp.Compare(a.String(), first.String()) < 0 {
				first = a
			}
		}
		delete(l.since, first)
	}
}

func (l *lost) remove(addr netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.since, addr)
}

// any picks one, by chance. It isn't ok if there is none.
func (l *lost) any() (addr netip.AddrPort, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []netip.AddrPort
	for a, at := range l.since {
		if time.Since(at) > lostFor {
			delete(l.since, a)
			continue
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return addr, false
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all[rand.N(len(all))], true
}

// findLost tries one of the nodes that vanished. It reports whether there is
// another one to try later. Who finds one has found all that are with it.
func (j *joiner) findLost(ctx context.Context) (more bool) {
	addr, ok := j.g.members.lost.any()
	if !ok {
		return false
	}
	if err := j.joinOne(ctx, addr); err != nil {
		j.logger.Debug("a node that vanished is still away", "addr", addr, "err", err)
		return true
	}
	j.g.members.lost.remove(addr)
	_, more = j.g.members.lost.any()
	return more
}
