package session

import (
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

const (
	// fresh is how old a log's last watermark may be for an answer to count as the
	// present (rule 5).
	fresh = 3 * time.Second
	// pageBytes bounds the frames of a page from the cache, as the core does.
	pageBytes = 768 << 10
)

// read answers what a client wants to read: by the core, or what is in the cache
// where that one can't say. stale says that it may be older than a client would
// think.
func (m *Manager) read(q *wire.Query) (a *wire.Answer, stale bool, err error) {
	p := wire.StateLog
	if q.T == wire.QHistory {
		p = wire.LogOf(q.Ch, m.cfg.Cache.Logs())
		if m.stale(p) {
			if a := m.cached(q); a != nil {
				return a, true, nil // nobody needs to wait for a link that is down
			}
		}
	}
	if a, err = m.query(q); err != nil && q.T == wire.QHistory {
		if a := m.cached(q); a != nil {
			return a, true, nil
		}
	}
	return a, m.stale(p), err
}

// stale reports whether nothing was heard of a log for too long.
func (m *Manager) stale(p wire.LogID) bool {
	since := m.cfg.Upstream.Fresh(p)
	if since.IsZero() {
		since = m.bound
	}
	return time.Since(since) > fresh
}

// cached is a page of a channel's history if the cache holds all of it, and the
// channel's last frame; nil if not. Its floor is 0: what is gone below the page
// only the core knows.
func (m *Manager) cached(q *wire.Query) *wire.Answer {
	ch := m.cfg.Cache.Find(q.Ch)
	if ch == nil {
		return nil
	}
	after, live := ch.Floor()
	if q.After != nil {
		after = *q.After
	}
	if !live {
		return nil
	}
	all, found, _ := ch.Read(nil, after, m.cfg.Cache.Log(ch.P).Pos(), int(m.cfg.Cache.Share()))
	if found != cache.Complete || len(all) == 0 {
		return nil
	}
	a := &wire.Answer{Epoch: *m.epoch.Load(), Last: all[len(all)-1].Seq}
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
	if !whole {
		return nil // older ones are not here
	}
	for _, f := range page {
		a.Frames = append(a.Frames, wire.Data(f.Bytes))
	}
	return a
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
