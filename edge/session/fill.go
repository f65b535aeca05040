package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// fills coalesces what the shards lack: each channel is asked for once, from
// the oldest position that anybody needs, and many channels in one question.
type fills struct {
	mu    sync.Mutex
	asked map[*cache.Channel]wire.Seq // guarded by mu: waiting to be asked
	busy  bool                        // guarded by mu: a goroutine asks
}

// maxFillChannels bounds the channels of one question.
const maxFillChannels = 512

// Fill asks for a channel's frames after a position; Engine.Covered follows.
// A channel whose interest isn't live yet needs none: its marker tells more.
func (m *Manager) Fill(ch *cache.Channel, after wire.Seq) {
	floor, live := ch.Floor()
	if !live || after >= floor {
		return
	}
	f := &m.fills
	f.mu.Lock()
	if at, ok := f.asked[ch]; !ok || after < at {
		f.asked[ch] = after
	}
	start := !f.busy
	f.busy = true
	f.mu.Unlock()
	if start {
		m.spawn(m.askFills)
	}
}

// askFills asks until nothing is lacking.
func (m *Manager) askFills() {
	f := &m.fills
	for {
		f.mu.Lock()
		if len(f.asked) == 0 {
			f.busy = false
			f.mu.Unlock()
			return
		}
		var chs []*cache.Channel
		q := &wire.Query{T: wire.QFill}
		for ch, after := range f.asked {
			if len(chs) == maxFillChannels {
				break
			}
			delete(f.asked, ch)
			floor, live := ch.Floor()
			if !live || after >= floor {
				continue // filled, or let go, meanwhile
			}
			chs = append(chs, ch)
			q.Chs = append(q.Chs, ch.Name)
			q.Afters = append(q.Afters, after)
			q.Uptos = append(q.Uptos, floor)
		}
		f.mu.Unlock()
		if len(chs) > 0 && !m.fill(chs, q) {
			select { // the shards still lack it: they are woken to ask again
			case <-m.ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		logs := make([]wire.LogID, 0, len(chs))
		for _, ch := range chs {
			if !slices.Contains(logs, ch.P) {
				logs = append(logs, ch.P)
				m.engine.Covered(ch.P)
			}
		}
	}
}

func (m *Manager) fill(chs []*cache.Channel, q *wire.Query) (ok bool) {
	defer func() {
		if ok {
			m.cfg.Events.Fill("ok")
		} else {
			m.cfg.Events.Fill("failed")
		}
	}()
	ctx, cancel := context.WithTimeout(m.ctx, queryTimeout)
	defer cancel()
	a, err := m.cfg.Upstream.Query(ctx, q)
	if err != nil || a.Err != nil || len(a.Fills) != len(chs) {
		return false
	}
	ok = true
	for i := range a.Fills {
		if a.Fills[i].Ch != chs[i].Name {
			return false
		}
		if err := chs[i].Fill(&a.Fills[i]); err != nil {
			m.cfg.Logger.Error("a fill that can't be read", "err", err)
			return false
		}
	}
	return ok
}
