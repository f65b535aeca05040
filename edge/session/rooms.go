package session

import (
	"slices"
	"strings"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// roomOverhead is what a room takes in a reply beside its document, in bytes.
const roomOverhead = 200

// rooms answers with a page of the user's rooms, in order of their ids.
func (s *session) rooms(msg *wire.ClientMessage) (now, later func() error) {
	after, err := msg.AfterID()
	if err != nil {
		return refused(refuse(wire.BadRequest, "%s", err)), nil
	}
	most, heard, before := limit(msg.Limit, 100, wire.MaxPage), s.m.heard(wire.StateLog), s.m.turns.n.Load()
	if s.seenHere() && !s.user.moves() {
		if r, at, ok := s.roomsHere(wire.RoomID(after), most); ok && s.m.turns.same(before) && at <= s.m.rosters.Position() {
			return func() error {
				r.T, r.ID, r.Stale = wire.TReply, msg.ID, heard.stale()
				s.sock.SendMessage(r)
				return nil
			}, nil
		}
	}
	return nil, func() error {
		at := s.m.cfg.Cache.Positions()
		a, err := s.m.query(&wire.Query{T: wire.QRooms, User: s.user.id(), AfterID: after, Limit: most, V: s.m.Position()})
		if err == nil && a.Err != nil {
			err = &refusal{*a.Err}
		}
		if err != nil {
			return err
		}
		s.m.learn(a, a.Rooms, at)
		s.sock.SendMessage(wire.Rooms{
			T: wire.TReply, ID: msg.ID, Rooms: list(a.Rooms), Next: a.Next, Stale: heard.stale(),
		})
		return nil
	}
}

// roomsHere is a page of the user's rooms if all of it is at hand, and the latest state
// position that any of it was read at.
func (s *session) roomsHere(after wire.RoomID, most int) (r wire.Rooms, at wire.Seq, ok bool) {
	page := s.user.roomsAfter(after)
	r.Rooms = make([]wire.RoomInfo, 0, min(len(page), most))
	size := 0
	for i, ch := range page {
		if i == most || size > replyBytes {
			r.Next = string(r.Rooms[i-1].ID)
			break
		}
		info, read, ok := s.m.info(ch)
		if !ok {
			return r, 0, false
		}
		at = max(at, read)
		r.Rooms = append(r.Rooms, info)
		size += len(info.Data) + roomOverhead
	}
	s.m.cfg.Events.Cache("room", hitOrMiss(true), len(r.Rooms))
	return r, at, true
}

// roomsAfter are the channels of the user's rooms whose ids come after one, in
// order.
func (u *user) roomsAfter(after wire.RoomID) []*cache.Channel {
	u.mu.Lock()
	list := make([]*cache.Channel, 0, u.rooms.Len())
	for ch := range u.m.engine.Numbers().All(u.rooms) {
		if id, ok := ch.Name.Room(); ok && id > after {
			list = append(list, ch)
		}
	}
	u.mu.Unlock()
	slices.SortFunc(list, func(a, b *cache.Channel) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return list
}

// channels are those of the rooms among ids that the user is in, and the names of the
// others.
func (u *user) channels(ids []wire.RoomID) (in []*cache.Channel, out []wire.Channel) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.channelsLocked(ids)
}

func (u *user) channelsLocked(ids []wire.RoomID) (in []*cache.Channel, out []wire.Channel) {
	in = make([]*cache.Channel, 0, len(ids))
	for _, id := range ids {
		if ch := u.roomLocked(id); ch != nil {
			in = append(in, ch)
		} else {
			out = append(out, wire.RoomChannel(id))
		}
	}
	return in, out
}

// roomIDs are the user's rooms.
func (u *user) roomIDs() []wire.RoomID {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := make([]wire.RoomID, 0, u.rooms.Len())
	for ch := range u.m.engine.Numbers().All(u.rooms) {
		if id, ok := ch.Name.Room(); ok {
			ids = append(ids, id)
		}
	}
	if c := u.changes; c != nil {
		for _, o := range c.ops { // the sessions are yet to be told
			ids = slices.DeleteFunc(ids, func(id wire.RoomID) bool { return id == o.rec.Room })
			if !o.rec.Deleted {
				ids = append(ids, o.rec.Room)
			}
		}
	}
	return ids
}

// info is a room as its members are told of it, if all of it is at hand, and the latest
// state position that any of that was read at.
func (m *Manager) info(ch *cache.Channel) (info wire.RoomInfo, read wire.Seq, ok bool) {
	id, _ := ch.Name.Room()
	end, state := m.lasts.look(ch)
	if state != known {
		return wire.RoomInfo{}, 0, false
	}
	count, read, ok := m.rosters.Count(id)
	if !ok {
		return wire.RoomInfo{}, 0, false
	}
	doc, ok := m.objects.Peek(roomPrefix + string(id))
	if !ok {
		return wire.RoomInfo{}, 0, false
	}
	told := doc.Told()
	return wire.RoomInfo{
		ID: id, P: ch.P, Seq: end.seq, TS: end.ts, MemberCount: count, V: told.V, Data: told.Data,
	}, max(read, doc.V), true
}

// learn keeps what the core said of rooms, so that the next who ask are answered here.
// at is where the logs stood here when the core was asked. What was said of other logs
// than those of now is not learned.
func (m *Manager) learn(a *wire.Answer, rooms []wire.RoomInfo, at []wire.Seq) {
	m.learning.RLock()
	defer m.learning.RUnlock()
	if a.Epoch == *m.epoch.Load() {
		for i := range rooms {
			m.learnRoom(&rooms[i], a.V, at)
		}
	}
}

// learnRoom is learn for one room, that was read at a state position; learning is
// held.
func (m *Manager) learnRoom(r *wire.RoomInfo, read wire.Seq, at []wire.Seq) {
	if int(r.P) >= len(at) {
		return
	}
	m.objects.Seed(roomPrefix+string(r.ID), wire.Object{V: r.V, Data: r.Data}, read)
	m.rosters.Seed(r.ID, r.MemberCount, read)
	if ch := m.cfg.Cache.Find(wire.RoomChannel(r.ID)); ch != nil {
		m.lasts.learn(ch, last{r.Seq, r.TS, at[r.P]})
	}
}
