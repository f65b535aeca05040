package session

import (
	"cmp"
	"slices"
	"sync/atomic"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// welcomeRooms is how many rooms a welcome describes.
const welcomeRooms = 100

// begun knows the latest beginning of a membership in each log: whoever stands
// there or further needs nothing to be kept from them.
type begun [wire.MaxLogs]atomic.Uint64

func (b *begun) note(p wire.LogID, from wire.Seq) {
	for at := &b[p]; ; {
		have := at.Load()
		if have >= uint64(from) || at.CompareAndSwap(have, uint64(from)) {
			return
		}
	}
}

// reset starts anew, for other logs.
func (b *begun) reset() {
	for p := range b {
		b[p].Store(0)
	}
}

// passed reports whether positions are at or beyond every beginning.
func (b *begun) passed(at []wire.Seq) bool {
	for p, pos := range at {
		if uint64(pos) < b[p].Load() {
			return false
		}
	}
	return true
}

// welcomeHere begins a session from what this edge knows, without the core, if
// that is all: its user is loaded, nothing happens to the user's memberships, and
// what the welcome tells of is at hand.
func (s *session) welcomeHere(g *greeting) bool {
	m, u := s.m, g.u
	rooms, v, ok := u.calm()
	if !ok { // as most: they are new here
		return false
	}
	defer m.engine.Numbers().Release(rooms)
	epoch, at, told := *m.epoch.Load(), s.sock.AppendPositions(nil), m.seen.upto()
	if r := g.resume; r != nil {
		if at = r.at; r.cursor.Epoch != epoch || r.cursor.V > told {
			return false
		}
	}
	if m.stale(wire.StateLog) || !m.begun.passed(at) {
		return false
	}
	if g.resume != nil && g.resume.cursor.V < v {
		return false
	}
	h := &wire.Hello{RoomsV: v}
	doc, ok := m.objects.Peek(userPrefix + string(u.id()))
	if !ok {
		return false
	}
	me := doc.Told()
	h.User = wire.AppendUserInfo(nil, &wire.UserInfo{ID: u.id(), V: me.V, Data: me.Data})
	if h.Rooms, h.More, ok = m.recent(rooms); !ok {
		return false
	}
	a := &wire.Answer{Epoch: epoch, V: told}
	o := s.open(g, a, h, g.resume, at)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.calmLocked() || u.v != v {
		return false // it is opened again; its topics are held already
	}
	if _, posted := s.postLocked(u, o); !posted {
		panic("a session without joins lacks a room")
	}
	result := "fresh"
	if g.resume != nil {
		result = "resumed"
	}
	m.cfg.Events.Resume(result)
	return true
}

// calm are the channels of a user, held, if they are known, and nothing is
// happening to them.
func (u *user) calm() (rooms fanout.Rooms, v wire.Seq, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.calmLocked() {
		return rooms, 0, false
	}
	return u.m.engine.Numbers().Hold(u.rooms), u.v, true
}

func (u *user) calmLocked() bool { return u.loaded && !u.gone && u.changes == nil }

// isLoaded reports whether the user's rooms are known.
func (u *user) isLoaded() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.loaded
}

// recent are a user's most recently active rooms, the first welcomeRooms, if they
// are known for sure. more says that there are others.
//
// A welcome from the core tells of a user's most recently active rooms, and
// learnHello keeps them; whichever was active since then passed here. So the
// rooms whose last frame is known have the most recent ones among them.
func (m *Manager) recent(channels fanout.Rooms) (infos []wire.Data, more, ok bool) {
	type room struct {
		ch *cache.Channel
		ts int64
	}
	rooms := make([]room, 0, channels.Len())
	all := 0
	for ch := range m.engine.Numbers().All(channels) {
		if _, is := ch.Name.Room(); !is {
			continue
		}
		all++
		end, state := m.lasts.look(ch)
		switch state {
		case known:
			rooms = append(rooms, room{ch, end.ts})
		case doubtful:
			return nil, false, false
		case unknown:
		}
	}
	if len(rooms) < min(all, welcomeRooms) {
		return nil, false, false
	}
	slices.SortStableFunc(rooms, func(a, b room) int { return cmp.Compare(b.ts, a.ts) })
	rooms = rooms[:min(len(rooms), welcomeRooms)]
	for _, r := range rooms {
		info, ok := m.info(r.ch)
		if !ok {
			return nil, false, false
		}
		infos = append(infos, wire.AppendRoomInfo(nil, &info))
	}
	return infos, all > welcomeRooms, true
}

// learnHello keeps what a welcome tells of, for the user's next: of users with
// many rooms, and of those that have come again. In a storm of newcomers it would
// take more than it saves.
func (m *Manager) learnHello(id wire.UserID, a *wire.Answer, h *wire.Hello, at []wire.Seq) {
	var u wire.UserInfo
	if wire.Msgpack.Decode(h.User, &u) == nil {
		m.objects.Seed(userPrefix+string(id), wire.Object{V: u.V, Data: u.Data}, a.V)
	}
	for _, b := range h.Rooms {
		var r wire.RoomInfo
		if wire.Msgpack.Decode(b, &r) == nil && int(r.P) < len(at) {
			m.learn(&r, a.V, at[r.P])
		}
	}
}
