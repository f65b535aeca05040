package fanout

import (
	"cmp"
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// turns bounds how many budgets one socket catches up on before the others
// have their turn.
const turns = 4

// retry wakes the sockets that waited for channels of log p.
func (s *shard) retry(p wire.LogID) {
	for k := range s.waiting[p] {
		s.queueCatchUp(k)
	}
	clear(s.waiting[p])
}

// queueCatchUp lets k catch up at the end of this turn, or in the next.
func (s *shard) queueCatchUp(k *Socket) {
	if x := k.more(); !x.again {
		x.again = true
		if len(s.again) == 0 {
			s.loop.Wake() // whoever called: not only Woken leads here
		}
		s.again = append(s.again, k)
	}
}

// continueCatchUp gives each socket in the list one turn; what it has left
// waits for the next.
func (s *shard) continueCatchUp() {
	list := s.again
	s.again = nil
	for _, k := range list {
		if k.extra != nil {
			k.extra.again = false
		}
		s.catchUp(k)
	}
}

// catchUp sends k what it lacks, as far as the cache has it, its budget allows,
// and it is fair to the others.
func (s *shard) catchUp(k *Socket) {
	for range turns {
		if k.extra == nil || k.state != running {
			return
		}
		if k.pending() > s.e.cfg.Budget/2 {
			k.extra.full = true // flush comes back to it
			return
		}
		more := k.extra.focus != nil && s.catchUpFocus(k)
		more = s.catchUpLate(k) || more
		more = s.catchUpLogs(k) || more
		k.settle()
		if k.is(dirty) {
			s.flush(k)
		}
		if !more {
			return
		}
	}
	s.queueCatchUp(k)
}

// catchUpLate advances late channels by at most half a budget in all, and a
// frame each. more says that another turn would find something to do.
func (s *shard) catchUpLate(k *Socket) (more bool) {
	x := k.extra
	for i := 0; i < len(x.late); {
		if k.pending() > s.e.cfg.Budget/2 {
			return true
		}
		l := &x.late[i]
		pos := max(s.pos[l.ch.P], l.at)
		frames, a, at := l.ch.Read(s.frames[:0], l.at, pos, s.e.cfg.Budget/2)
		s.frames = frames[:0]
		switch a {
		case cache.Missing:
			s.lack(k, l.ch, l.at)
			if x.focus != nil && isRoom(l.ch) { // others can take its turn
				x.focus.left[l.ch] = l.at
				x.late = slices.Delete(x.late, i, i+1)
				continue
			}
			i++
			continue
		case cache.Gone:
			s.gap(k, l.ch, l.at, at)
			l.at = at
			more = true
			i++
			continue
		case cache.Complete, cache.Partial:
		}
		for _, f := range frames {
			s.give(k, f, true)
		}
		l.at = at
		s.e.cfg.Events.Delivered(len(frames))
		clear(frames)
		if a == cache.Partial {
			more = true
			i++
			continue
		}
		s.goLive(k, l.ch, pos)
		x.late = slices.Delete(x.late, i, i+1)
	}
	return more
}

// goLive ends a late channel at pos. If the socket is behind that in the log,
// or ahead of this shard, the channel keeps a position of its own.
func (s *shard) goLive(k *Socket, ch *cache.Channel, pos wire.Seq) {
	x := k.extra
	if x.lagOf(ch.P) != nil || pos > s.pos[ch.P] {
		if x.behind == nil {
			x.behind = map[*cache.Channel]wire.Seq{}
		}
		x.behind[ch] = pos
	}
	if p, err := Encode(wire.Live{T: wire.TLive, Ch: ch.Name, Seq: pos}); err == nil {
		s.push(k, p[k.Codec()])
	}
}

// catchUpLogs advances each log that k lags on by at most one budget.
func (s *shard) catchUpLogs(k *Socket) (more bool) {
	x := k.extra
	for i := 0; i < len(x.lags); {
		switch s.catchUpLog(k, &x.lags[i]) {
		case caughtUp:
			p := x.lags[i].p
			x.lags = slices.Delete(x.lags, i, i+1)
			s.dropBehind(x, p)
		case hasMore:
			more = true
			i++
		case waits:
			i++
		}
	}
	return more
}

// dropBehind forgets the own positions that the log's has reached.
func (s *shard) dropBehind(x *extra, p wire.LogID) {
	for ch, at := range x.behind {
		if ch.P == p && at <= s.pos[p] {
			delete(x.behind, ch)
		}
	}
	if len(x.behind) == 0 {
		x.behind = nil
	}
}

// dropReached is dropBehind for all logs that k is live on.
func (s *shard) dropReached(k *Socket) {
	for ch := range k.extra.behind {
		if k.extra.lagOf(ch.P) == nil {
			s.dropBehind(k.extra, ch.P)
		}
	}
	k.settle()
}

type progress uint8

const (
	caughtUp progress = iota
	hasMore
	waits // for a fill, an interest, the log, or room
)

// catchUpLog merges the frames of all of k's channels in one log, so that the
// client's position can move with each.
func (s *shard) catchUpLog(k *Socket, l *lag) progress {
	pos := s.pos[l.p]
	if l.at > pos {
		s.note(s.ahead, l.p, k)
		return waits
	}
	delete(s.ahead[l.p], k)
	frames, upto, missing := s.frames[:0], pos, false
	each := func(ch *cache.Channel) {
		if k.extra.lateOf(ch) != nil || k.skips(ch) {
			return
		}
		from := max(l.at, k.extra.behind[ch])
		for {
			var a cache.Answer
			var at wire.Seq
			frames, a, at = ch.Read(frames, from, pos, s.e.cfg.Budget)
			switch a {
			case cache.Missing:
				missing = true
				s.lack(k, ch, from)
			case cache.Partial:
				upto = min(upto, at)
			case cache.Gone:
				s.gap(k, ch, from, at)
				s.setBehind(k, ch, at)
				from = at
				continue
			case cache.Complete:
			}
			return
		}
	}
	for ch := range s.numbers.Of(k.user.rooms, l.p) {
		each(ch)
	}
	for _, ch := range k.extra.topics {
		if ch.P == l.p && !s.numbers.Has(k.user.rooms, ch) {
			each(ch)
		}
	}
	defer func() {
		clear(frames)
		s.frames = frames[:0]
	}()
	if missing {
		return waits
	}
	slices.SortFunc(frames, func(a, b *cache.Frame) int { return cmp.Compare(a.Seq, b.Seq) })
	sent := 0
	for _, f := range frames {
		if f.Seq > upto {
			break
		}
		if k.pending() > s.e.cfg.Budget {
			upto = l.at
			break
		}
		s.give(k, f, false)
		l.at = f.Seq
		sent++
	}
	s.e.cfg.Events.Delivered(sent)
	l.at = max(l.at, upto)
	if l.at < pos {
		return hasMore
	}
	return caughtUp
}

// lack asks for what the cache doesn't hold, and remembers who waits.
func (s *shard) lack(k *Socket, ch *cache.Channel, after wire.Seq) {
	s.note(s.waiting, ch.P, k)
	s.e.cfg.Fill(ch, after)
}

func (s *shard) note(m map[wire.LogID]map[*Socket]struct{}, p wire.LogID, k *Socket) {
	if m[p] == nil {
		m[p] = map[*Socket]struct{}{}
	}
	m[p][k] = struct{}{}
}

// gap says openly that frames are gone.
func (s *shard) gap(k *Socket, ch *cache.Channel, after, lost wire.Seq) {
	s.e.cfg.Events.Gap()
	if p, err := Encode(wire.Gap{T: wire.TGap, Ch: ch.Name, P: ch.P, From: after + 1, To: lost}); err == nil {
		s.push(k, p[k.Codec()])
	}
}

func (s *shard) setBehind(k *Socket, ch *cache.Channel, at wire.Seq) {
	x := k.more()
	if x.behind == nil {
		x.behind = map[*cache.Channel]wire.Seq{}
	}
	x.behind[ch] = at
}

// gapped moves log p past frames that are gone. Every session that was live on
// it lags from where it was, and so meets the gap in the cache; those that lag
// already may meet it at once.
func (s *shard) gapped(p wire.LogID, floor wire.Seq) {
	at := s.pos[p]
	if floor <= at {
		return
	}
	for k := range s.wheel.sockets() {
		if k.state != running {
			continue
		}
		if k.extra.lagOf(p) == nil {
			x := k.more()
			x.lags = append(x.lags, lag{p, at})
		}
		if k.extra.focus != nil {
			s.lookAround(k, p)
		}
		s.queueCatchUp(k)
	}
	s.moveTo(p, floor)
}
