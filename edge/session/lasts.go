package session

import (
	"math"
	"sync"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// lasts are the last frames of the rooms that are held here, as far as they are
// known: from what the core said of a room, and from the frames that came since.
type lasts struct {
	mu sync.Mutex
	of map[*cache.Channel]last // guarded by mu
}

// last is where a channel ends.
type last struct {
	seq wire.Seq // 0 = it has no frames
	ts  int64    // of the frame, Unix ms
	// since is where the log stood here when the core was asked: what came later
	// must have come by here for this to be the last.
	since wire.Seq
}

// always is the since of a frame that came by here.
const always = wire.Seq(math.MaxUint64)

// Passed takes frames that came for channels of this edge.
func (m *Manager) Passed(frames []*cache.Frame) {
	if len(frames) == 0 {
		return
	}
	m.lasts.mu.Lock()
	defer m.lasts.mu.Unlock()
	for _, f := range frames {
		if _, room := f.Ch.Room(); room {
			m.lasts.of[f.Channel] = last{f.Seq, f.TS, always}
		}
	}
}

// learn takes what the core said of a channel that is held here.
func (l *lasts) learn(ch *cache.Channel, said last) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have, ok := l.of[ch]
	if !ok || have.seq < said.seq || have.seq == said.seq && have.since < said.since {
		l.of[ch] = said
	}
}

// reset forgets everything, for other logs.
func (l *lasts) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.of)
}

// knowledge says what is known of a channel's end.
type knowledge uint8

const (
	unknown  knowledge = iota
	known              // for sure
	doubtful           // there may be a later one
)

// look is a channel's last frame, as far as it is known.
func (l *lasts) look(ch *cache.Channel) (last, knowledge) {
	if seq, ts, ok := ch.Last(); ok {
		return last{seq, ts, always}, known
	}
	l.mu.Lock()
	found, ok := l.of[ch]
	l.mu.Unlock()
	if !ok {
		return last{}, unknown
	}
	if floor, live := ch.Floor(); found.since != always && (!live || floor > found.since) {
		return found, doubtful
	}
	return found, known
}

// forget is told of a channel that nobody holds any more.
func (l *lasts) forget(ch *cache.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, ch)
}
