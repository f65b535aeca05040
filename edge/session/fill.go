package session

import (
	"context"
	"sync"
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// fills coalesces what the shards lack: each channel is asked for once, from
// the oldest position that anybody needs, and many channels in one question.
//
// A reader needs the frames of all its channels in a log at once, to put them in
// order. So what an answer brings is kept for a while (cache.NextFills), and where
// one answer hasn't room for all, the next questions reach less far.
type fills struct {
	mu    sync.Mutex
	asked map[*cache.Channel]wire.Seq // guarded by mu: waiting to be asked
	busy  bool                        // guarded by mu: a goroutine asks

	// Owned by that goroutine.
	reach map[wire.LogID]wire.Seq // how many positions a question goes; none = all
	cut   map[wire.LogID]wire.Seq // logs whose last question got less than it asked for, with its reach
	// tight are logs in which readers at different places displaced each other's
	// pieces of a channel, with the questions that this is remembered for. One
	// question then asks for one place only: mixed, each would have a part of what
	// it needs, and lose it to the others, for ever.
	tight map[wire.LogID]int
}

const (
	// maxFillChannels bounds the channels of one question.
	maxFillChannels = 512
	// fillShare is the part of a log's share of the cache that one answer may take.
	fillShare = 4
	// The reach is quartered, to minReach, when it was too long, and quadrupled
	// while it isn't, until it is beyond maxReach.
	minReach, maxReach = 16, 1 << 32
	// tightFor is how many questions a log stays tight. Before the next one the
	// readers have tightPause to take what came and to say what they lack now: so
	// the oldest goes on until it has reached the others.
	tightFor   = 64
	tightPause = 2 * time.Millisecond
)

// Fill asks for a channel's frames after a position; Engine.Covered follows.
func (m *Manager) Fill(ch *cache.Channel, after wire.Seq) {
	if _, lacks := ch.Lacks(after); !lacks {
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
			f.adapt()
			f.busy = false
			f.mu.Unlock()
			return
		}
		chs, q, logs := f.questionLocked()
		f.mu.Unlock()
		q.Bytes = max(int(m.cfg.Cache.Share())/fillShare/max(len(chs), 1), 1) // a frame at least
		if len(chs) > 0 && !m.fill(chs, q) && !m.wait(time.Second) {
			return // else the shards still lack it: they will be woken to ask again
		}
		for p := range logs {
			m.engine.Covered(p)
		}
		if len(f.tight) > 0 && !m.wait(tightPause) {
			return
		}
	}
}

// wait reports whether the manager goes on after d.
func (m *Manager) wait(d time.Duration) bool {
	select {
	case <-m.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// questionLocked is the next question, about chs. Readers of logs are to be woken
// then: also those of channels that nothing is asked for any more. The oldest
// place may have been filled meanwhile, and another reader's not.
func (f *fills) questionLocked() (chs []*cache.Channel, q *wire.Query, logs map[wire.LogID]struct{}) {
	q, logs = &wire.Query{T: wire.QFill, Oldest: true}, map[wire.LogID]struct{}{}
	first := f.firstLocked()
	for ch, after := range f.asked {
		if len(chs) == maxFillChannels {
			break
		}
		if at, tight := first[ch.P]; tight && after != at {
			continue // by another question
		}
		delete(f.asked, ch)
		logs[ch.P] = struct{}{}
		upto, lacks := ch.Lacks(after)
		if !lacks {
			continue // filled, or let go, meanwhile
		}
		if reach, short := f.reach[ch.P]; short {
			upto = min(upto, after+reach)
		}
		chs = append(chs, ch)
		q.Chs = append(q.Chs, ch.Name)
		q.Afters = append(q.Afters, after)
		q.Uptos = append(q.Uptos, upto)
	}
	return chs, q, logs
}

// firstLocked is, for logs that are tight, the oldest place that is asked for.
func (f *fills) firstLocked() map[wire.LogID]wire.Seq {
	if len(f.tight) == 0 {
		return nil
	}
	first := map[wire.LogID]wire.Seq{}
	for ch, after := range f.asked {
		if _, tight := f.tight[ch.P]; tight {
			if at, ok := first[ch.P]; !ok || after < at {
				first[ch.P] = after
			}
		}
	}
	for p := range f.tight {
		if f.tight[p]--; f.tight[p] == 0 {
			delete(f.tight, p)
		}
	}
	return first
}

// fill asks once. ok says that something came of it.
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
	for i := range a.Fills {
		if a.Fills[i].Ch != chs[i].Name {
			return false
		}
		if none := a.Fills[i].Upto <= q.Afters[i]; none && q.Uptos[i] > q.Afters[i] {
			m.fills.cut[chs[i].P] = max(m.fills.cut[chs[i].P], q.Uptos[i]-q.Afters[i])
		}
		done, err := chs[i].Fill(&a.Fills[i])
		if err != nil {
			m.cfg.Logger.Error("a fill that can't be read", "err", err)
			return false
		}
		ok = ok || done.Moved
		if done.Displaced {
			m.fills.tight[chs[i].P] = tightFor
		}
	}
	return ok
}

// adapt sets how far the next questions reach. It is called when nothing is
// lacking for a moment.
func (f *fills) adapt() {
	for p, reach := range f.reach {
		if f.reach[p] = 4 * reach; 4*reach > maxReach {
			delete(f.reach, p)
		}
	}
	for p, was := range f.cut {
		f.reach[p] = max(was/4, minReach)
	}
	clear(f.cut)
}
