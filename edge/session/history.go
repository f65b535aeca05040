package session

import (
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sync/singleflight"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// pageBytes bounds the frames of a page from the cache, as the core does.
const pageBytes = 768 << 10

// pages answers for channels' histories.
type pages struct {
	asked singleflight.Group // by question, and where the log stood here

	mu     sync.Mutex
	floors map[*cache.Channel]floor // guarded by mu: of channels that are held
}

// floor is what is gone of a channel.
type floor struct {
	gone   wire.Seq // its last frame that is, 0 = none is
	oldest wire.Seq // that holds as long as the log's floor is below this one
}

// read answers a question for a page of a channel: from the cache if all of it is
// there, or else by the core, once for all who ask at the same time. stale says
// that it may be older than a client would think.
func (m *Manager) read(q *wire.Query) (a *wire.Answer, stale bool, err error) {
	p := wire.LogOf(q.Ch, m.cfg.Cache.Logs())
	heard := m.heard(p)
	here, sure := m.cached(q)
	if stale = heard.stale(); here != nil && (sure || stale) { // nobody needs to wait for a link that is down
		m.cfg.Events.Cache("history", hitOrMiss(true), 1)
		return here, stale, nil
	}
	m.cfg.Events.Cache("history", hitOrMiss(false), 1)
	q.V = m.cfg.Cache.Log(p).Pos() // whoever answers has seen what we have
	answer, err, _ := m.pages.asked.Do(pageKey(q), func() (any, error) { return m.askPage(q) })
	if err == nil {
		return answer.(*wire.Answer), heard.stale(), nil
	}
	if here != nil {
		return here, true, nil
	}
	return nil, true, err
}

// pageKey is the same for questions that have the same answer. Where the log stood
// is a part of it: who asks later must not get what was read before that.
func pageKey(q *wire.Query) string {
	position := func(s *wire.Seq) string {
		if s == nil {
			return "-"
		}
		return strconv.FormatUint(uint64(*s), 10)
	}
	return fmt.Sprint(q.Limit, " ", position(q.Before), " ", position(q.After), " ", q.V, " ", q.Ch)
}

// askPage asks the core, and keeps what helps the next who ask.
func (m *Manager) askPage(q *wire.Query) (*wire.Answer, error) {
	a, err := m.query(q)
	if err != nil || a.Err != nil {
		return a, err
	}
	ch := m.cfg.Cache.Find(q.Ch)
	if ch == nil {
		return a, nil
	}
	m.pages.learn(ch, floor{a.Floor, a.Oldest})
	if at, live := ch.Floor(); q.Before == nil && q.After == nil && len(a.Frames) > 0 && live && at <= q.V {
		if err := fillPage(ch, q.V, a.Frames); err != nil {
			m.cfg.Logger.Error("a page that can't be read", "err", err)
		}
	}
	return a, nil
}

// fillPage puts the newest frames of a channel into the cache, as far as upto: the
// page was read when the log was that far, at least.
func fillPage(ch *cache.Channel, upto wire.Seq, frames []wire.Data) error {
	first, err := wire.ParseFrame(frames[0])
	if err != nil {
		return err
	}
	fill := &wire.Fill{Ch: ch.Name, Floor: first.Prev, Upto: upto}
	for _, b := range frames {
		f, err := wire.ParseFrame(b)
		if err != nil {
			return err
		}
		if f.Seq <= upto {
			fill.Frames = append(fill.Frames, b)
		}
	}
	_, err = ch.Fill(fill)
	return err
}

func (p *pages) learn(ch *cache.Channel, f floor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.floors[ch] = f
}

// find is what is known to be gone of a channel, if that holds.
func (p *pages) find(ch *cache.Channel, trimmed wire.Seq) (floor, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.floors[ch]
	return f, ok && trimmed < f.oldest
}

// forget is told of a channel that nobody holds any more.
func (p *pages) forget(ch *cache.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.floors, ch)
}

// cached is a page of a channel's history if the cache holds all of it, and the
// channel's last frame; nil if not. sure says that it is what the core would say:
// else it is not known what is gone below the page.
func (m *Manager) cached(q *wire.Query) (a *wire.Answer, sure bool) {
	ch := m.cfg.Cache.Find(q.Ch)
	if ch == nil {
		return nil, false
	}
	l := m.cfg.Cache.Log(ch.P)
	gone, sure := m.pages.find(ch, l.Trimmed())
	after, live := ch.Floor()
	if q.After != nil {
		after = *q.After
	}
	if !live {
		return nil, false
	}
	all, found, _ := ch.Read(nil, after, l.Pos(), int(m.cfg.Cache.Share()))
	if found != cache.Complete || len(all) == 0 {
		return nil, false
	}
	a = &wire.Answer{Epoch: *m.epoch.Load(), Last: all[len(all)-1].Seq}
	if sure {
		a.Floor = gone.gone
	}
	if q.Before != nil {
		n := 0
		for n < len(all) && all[n].Seq < *q.Before {
			n++
		}
		all = all[:n]
	}
	page, whole := newest(all, q.Limit)
	if q.After != nil {
		page, whole = oldest(all, q.Limit), true
	}
	if !whole && (!sure || len(page) == 0 || page[0].Seq != gone.oldest) {
		return nil, false // older ones are not here
	}
	for _, f := range page {
		a.Frames = append(a.Frames, wire.Data(f.Bytes))
	}
	return a, sure
}

// oldest are the first frames, at most limit of them and not too many bytes.
func oldest(all []*cache.Frame, limit int) []*cache.Frame {
	n, size := 0, 0
	for n < min(len(all), limit) {
		if size += len(all[n].Bytes); n > 0 && size > pageBytes {
			break
		}
		n++
	}
	return all[:n]
}

// newest are the last frames, as oldest has it; whole says that it is a page: it
// is full, or nothing of the channel came before it.
func newest(all []*cache.Frame, limit int) (page []*cache.Frame, whole bool) {
	i, size := len(all), 0
	for i > 0 && len(all)-i < limit {
		if size += len(all[i-1].Bytes); i < len(all) && size > pageBytes {
			return all[i:], true
		}
		i--
	}
	page = all[i:]
	return page, len(page) == limit || len(page) > 0 && page[0].Prev == 0
}
