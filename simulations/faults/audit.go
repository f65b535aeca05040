package faults

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"selvedge/edge/client"
	"selvedge/wire"
)

const (
	// presentWithin is how old what is told as the present may be: 3 s at the edge
	// since its last watermark, 3 s at the leader of the log since another copy
	// followed it, and 2 s for what lies between these and a question's answer.
	presentWithin = 8 * time.Second
	auditEvery    = 100 * time.Millisecond
	askTime       = 2 * time.Second
)

// audit asks edges again and again for the newest frame of rooms, and compares
// with what had been acknowledged presentWithin before: an answer that isn't
// marked stale must have that.
type audit struct {
	fresh, stale, failed int // answers
	broken               error

	ending  context.CancelFunc
	running sync.WaitGroup
}

// moment is what was acknowledged of each channel at a time.
type moment struct {
	at   time.Time
	last map[wire.Channel]wire.Seq
}

// audit starts one. Its other fields are its goroutine's until it is stopped.
func (r *run) audit(ctx context.Context) *audit {
	a := &audit{}
	ctx, a.ending = context.WithCancel(ctx)
	a.running.Go(func() {
		var past []moment
		for i := 0; a.broken == nil && pause(ctx, auditEvery) == nil; i++ {
			now := time.Now()
			past = append(past, moment{now, r.load.newest()})
			for len(past) > 1 && now.Sub(past[1].at) >= presentWithin {
				past = past[1:]
			}
			if now.Sub(past[0].at) >= presentWithin {
				a.ask(ctx, r.members[i%len(r.members)], roomChannel(threeRooms.in(i % len(r.members))[0]), past[0].last)
			}
		}
	})
	return a
}

func (a *audit) ask(ctx context.Context, m *member, ch wire.Channel, before map[wire.Channel]wire.Seq) {
	h, err := m.newest(ctx, ch)
	switch {
	case err != nil:
		a.failed++
	case h.Stale:
		a.stale++
	default:
		a.fresh++
		if h.Last < before[ch] {
			a.broken = fmt.Errorf("%s was told that %s ends at %d, not marked stale, and %d had been acknowledged %v before", m.user, ch, h.Last, before[ch], presentWithin)
		}
	}
}

// stop ends it; also more than once.
func (a *audit) stop() {
	a.ending()
	a.running.Wait()
}

func (a *audit) String() string {
	return fmt.Sprintf("of what edges answered meanwhile, %d were the present, %d marked stale; %d questions failed", a.fresh, a.stale, a.failed)
}

func (a *audit) err() error {
	if a.broken != nil {
		return fmt.Errorf("%w: %w", errBroken, a.broken)
	}
	if a.fresh == 0 {
		return fmt.Errorf("no answer was the present: %v", a)
	}
	return nil
}

// newest asks for a channel's last frame.
func (m *member) newest(ctx context.Context, ch wire.Channel) (wire.History, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return m.client.History(ctx, ch, client.Range{Limit: 1})
}

// newest is the last position of each channel that was acknowledged.
func (p *publishers) newest() map[wire.Channel]wire.Seq {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.ends)
}
