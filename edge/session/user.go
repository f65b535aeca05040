package session

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/keyed"
	"selvedge/edge/upstream"
	"selvedge/internal/bug"
	"selvedge/wire"
)

// user is a user with sessions at this edge, or whose last one went a moment
// ago.
type user struct {
	inbox wire.Channel // has the id in it, so that both share their memory
	m     *Manager

	refs int32 // guarded by Manager.mu

	// mu also orders what is posted to the shards about this user. It is never
	// held while waiting for anything.
	mu      sync.Mutex
	loaded  bool
	gone    bool
	born    turn         // bounds where the memberships began
	v       wire.Seq     // of the last join or leave that is known
	rooms   fanout.Rooms // and the inbox; held
	changes *changes
}

// changes are what happens to a user's memberships; nil while nothing does.
type changes struct {
	early []*op // came before the user was loaded
	ops   []*op // are to be done, by a goroutine
	// recent are the rooms joined since a hello was asked: its answer may not
	// have them.
	recent []wire.Membership
}

func newUsers() *keyed.Set[wire.UserID, user] { return keyed.New((*user).id) }

func (u *user) id() wire.UserID {
	id, _ := u.inbox.Inbox()
	return id
}

// attach is the user of id, with one reference more.
func (m *Manager) attach(id wire.UserID) *user {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users.Get(id)
	if u == nil {
		u = &user{inbox: wire.InboxChannel(id), m: m}
		m.users.Add(u)
		m.hellos.expect(u)
		m.cfg.Upstream.Want(wire.StateLog, upstream.Want{
			Key: wire.RoomsKey(id), Since: ^wire.Seq(0) >> 1,
			Sent: func(id uint64) { m.hellos.sent(u, id) },
		})
	}
	u.refs++
	if t := m.lingers[u]; t != nil {
		t.Stop()
		delete(m.lingers, u)
	}
	return u
}

// detach gives the reference back. The user is forgotten after the linger; at
// once if it was never loaded: there is nothing to come back to.
func (m *Manager) detach(u *user) {
	u.mu.Lock()
	wait := linger
	if !u.loaded {
		wait = 0
	}
	u.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.refs--; u.refs == 0 && !m.stopped {
		m.lingers[u] = time.AfterFunc(wait, func() { m.forget(u) })
	}
}

// forget drops a user that nobody came back for, with all its interests.
func (m *Manager) forget(u *user) {
	m.mu.Lock()
	delete(m.lingers, u)
	if u.refs > 0 || m.users.Get(u.id()) != u || m.stopped {
		m.mu.Unlock()
		return
	}
	m.users.Delete(u)
	if m.users.Len() == 0 { // nobody is there who could ask for what is cached
		m.objects.Reset()
		m.rosters.Reset()
	}
	m.mu.Unlock()
	m.drop(u)
}

// drop gives back what a user holds.
func (m *Manager) drop(u *user) {
	m.cfg.Upstream.Drop(wire.StateLog, wire.RoomsKey(u.id()))
	m.hellos.forget(u)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = true
	m.told.forget(u)
	for ch := range m.engine.Numbers().All(u.rooms) {
		m.release(ch)
	}
	m.engine.Numbers().Release(u.rooms)
	if c := u.changes; c != nil {
		for _, o := range append(c.early, c.ops...) {
			m.seen.end(o)
		}
	}
	u.rooms, u.changes = fanout.Rooms{}, nil
}

// seen is the state position of the last change of the user's memberships that
// is known.
func (u *user) seen() wire.Seq {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.v
}

// load takes the memberships of a hello, unless they are known already. since
// says from where a session needs the channels of each log.
func (u *user) load(h *wire.Hello, since func(*cache.Channel) wire.Seq) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.loaded || u.gone {
		return
	}
	var space [64]*cache.Channel // most users' rooms need no other
	rooms := space[:0]
	for _, ms := range h.Memberships {
		ch := u.m.acquireRoom(ms.Room, since)
		u.m.begun.note(ch.P, ms.From)
		rooms = append(rooms, ch)
	}
	rooms = append(rooms, u.m.acquire(u.inbox, since))
	u.rooms = u.m.engine.Numbers().Rooms(rooms)
	u.born = u.m.begun.done(u.m.cfg.Cache.Logs(), time.Now())
	u.loaded, u.v = true, h.RoomsV
	if c := u.changes; c != nil {
		early := c.early
		c.early = nil
		if bug.On(bug.OvertakingFill) {
			early = nil
		}
		for _, o := range early {
			u.applyLocked(o)
		}
	}
}

// roomLocked is the channel of a room that the user is in, or nil.
func (u *user) roomLocked(id wire.RoomID) *cache.Channel {
	name := wire.RoomChannel(id)
	for ch := range u.m.engine.Numbers().Of(u.rooms, wire.LogOf(name, u.m.cfg.Cache.Logs())) {
		if ch.Name == name {
			return ch
		}
	}
	return nil
}

// joinedSinceLocked are the rooms that were joined after state position v, in
// the order of their joins, as a client's own v moves with each: those of an
// answer that was read at a position, and those that came later.
func (u *user) joinedSinceLocked(answer []wire.Membership, read, v wire.Seq) []wire.Membership {
	var out []wire.Membership
	for _, m := range answer {
		if m.V > v && u.roomLocked(m.Room) != nil {
			out = append(out, m)
		}
	}
	if c := u.changes; c != nil {
		for _, m := range c.recent {
			if m.V > max(v, read) && u.roomLocked(m.Room) != nil {
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b wire.Membership) int { return cmp.Compare(a.V, b.V) })
	return out
}

// beginningsLocked are the rooms in which the user became a member beyond the
// positions at, with where: those of an answer, and those joined since.
func (u *user) beginningsLocked(answer []wire.Membership, at []wire.Seq) map[*cache.Channel]wire.Seq {
	var out map[*cache.Channel]wire.Seq
	least := slices.Min(at)
	note := func(m wire.Membership) {
		if m.From <= least {
			return // as nearly all
		}
		if ch := u.roomLocked(m.Room); ch != nil && m.From > at[ch.P] {
			if out == nil {
				out = map[*cache.Channel]wire.Seq{}
			}
			out[ch] = m.From
		}
	}
	for _, m := range answer {
		note(m)
	}
	if c := u.changes; c != nil {
		for _, m := range c.recent {
			note(m)
		}
	}
	return out
}

// forgetRecent lets go of what was kept for the answers of hellos.
func (u *user) forgetRecent() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.changes; c != nil {
		c.recent = nil
		u.settleLocked()
	}
}

// settleLocked drops changes that hold nothing.
func (u *user) settleLocked() {
	if c := u.changes; c != nil && c.early == nil && c.ops == nil && c.recent == nil {
		u.changes = nil
	}
}

func (u *user) changesLocked() *changes {
	if u.changes == nil {
		u.changes = &changes{}
	}
	return u.changes
}

// correctLocked takes the rooms that were left since the core answered out of a
// welcome: its session won't be told.
func (u *user) correctLocked(w *wire.WelcomeParts, read wire.Seq) {
	if u.v <= read {
		return
	}
	w.RoomsV = max(w.RoomsV, u.v)
	w.Rooms = slices.DeleteFunc(slices.Clone(w.Rooms), func(info wire.Data) bool {
		id, err := wire.RoomInfoID(info)
		return err != nil || u.roomLocked(id) == nil
	})
}

// isMember reports whether the user is in a room, as far as this edge knows: also
// while the sessions are yet to be told.
func (u *user) isMember(id wire.RoomID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.changes; c != nil {
		for _, o := range slices.Backward(c.ops) {
			if o.rec.Room == id {
				return !o.rec.Deleted
			}
		}
	}
	return u.roomLocked(id) != nil
}

// moves reports whether there are changes of memberships that the sessions are yet
// to be told of.
func (u *user) moves() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changes != nil && len(u.changes.ops) > 0
}

// op is a change of a membership on its way to the shards. A user's ops are
// done one after the other.
type op struct {
	rec *wire.StateRecord
}

// record takes a change of a membership from the state log. Until its sessions
// were told of it, nobody is told that everything up to it was seen.
func (u *user) record(rec *wire.StateRecord) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return
	}
	o := &op{rec}
	u.m.seen.begin(o, rec.V)
	if u.loaded {
		u.applyLocked(o)
	} else {
		c := u.changesLocked()
		c.early = append(c.early, o)
	}
}

// applyLocked queues a change that isn't known yet: the load may have been
// read after it.
func (u *user) applyLocked(o *op) {
	if o.rec.V <= u.v {
		u.m.seen.end(o)
		return
	}
	c := u.changesLocked()
	c.ops = append(c.ops, o)
	if len(c.ops) == 1 {
		u.m.spawn(u.work)
	}
}

// work does the ops there are. One stays in the list while it is done, so that
// nobody else begins.
func (u *user) work() {
	for {
		u.mu.Lock()
		if u.gone {
			u.mu.Unlock()
			return // drop has ended them
		}
		o := u.changes.ops[0]
		u.mu.Unlock()
		if o.rec.Deleted {
			u.leave(o.rec)
		} else {
			u.join(o.rec)
		}
		u.m.seen.end(o)
		u.mu.Lock()
		if u.gone {
			u.mu.Unlock()
			return
		}
		c := u.changes
		c.ops[0] = nil
		c.ops = c.ops[1:]
		done := len(c.ops) == 0
		if done {
			c.ops = nil
			u.settleLocked()
		}
		u.mu.Unlock()
		if done {
			u.m.seen.advance(0, u.m.engine.Seen)
			return
		}
	}
}

// join makes the user's sessions members of a room. It waits for the room's
// description as long as it takes: a member must learn of its room.
func (u *user) join(rec *wire.StateRecord) {
	name := wire.RoomChannel(rec.Room)
	room, err := u.m.room(rec.Room)
	for err != nil {
		select {
		case <-u.m.ctx.Done():
			return
		case <-time.After(time.Second):
		}
		room, err = u.m.room(rec.Room)
	}
	joined, err := fanout.Encode(wire.Joined{
		T: wire.TJoined, Ch: name, P: wire.LogOf(name, u.m.cfg.Cache.Logs()), From: rec.From, V: rec.V, Room: room.info,
	})
	if err != nil {
		u.m.cfg.Logger.Error("a room that can't be encoded", "room", rec.Room, "err", err)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone || u.roomLocked(rec.Room) != nil {
		return
	}
	ch := u.m.acquireRoom(rec.Room, func(*cache.Channel) wire.Seq { return min(rec.From, room.at) })
	u.m.begun.note(ch.P, rec.From)
	u.born = u.m.begun.done(u.m.cfg.Cache.Logs(), time.Now())
	u.m.lasts.learn(ch, last{room.info.Seq, room.info.TS, room.at}) // no telling bounds it
	u.rooms = u.m.engine.Numbers().With(u.rooms, ch)
	if u.changes != nil && u.m.hellos.awaits(u) {
		u.changes.recent = append(u.changes.recent, wire.Membership{Room: rec.Room, From: rec.From, V: rec.V})
	}
	u.v = max(u.v, rec.V)
	u.m.engine.Join(u.id(), ch, rec.From, joined)
}

func (u *user) leave(rec *wire.StateRecord) {
	left, err := fanout.Encode(wire.Left{T: wire.TLeft, Ch: wire.RoomChannel(rec.Room), V: rec.V})
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.v = max(u.v, rec.V)
	ch := u.roomLocked(rec.Room)
	if u.gone || ch == nil {
		return
	}
	u.rooms = u.m.engine.Numbers().Without(u.rooms, ch)
	u.m.engine.Leave(u.id(), ch, left)
	u.m.release(ch)
}

// describedRoom is a room as its members are told of it.
type describedRoom struct {
	info wire.RoomInfo
	at   wire.Seq // what came of its log after that, came by here since
	read wire.Seq // the state position that it is as of, at least
}

// room describes a room from what is here, or else by one question for all who ask at
// once.
func (m *Manager) room(id wire.RoomID) (describedRoom, error) {
	name := wire.RoomChannel(id)
	if ch := m.cfg.Cache.Find(name); ch != nil {
		at, read := m.cfg.Cache.Log(ch.P).Pos(), m.Position()
		if info, _, ok := m.info(ch); ok {
			return describedRoom{info, at, read}, nil
		}
	}
	v, err, _ := m.asked.Do(string(id), func() (any, error) {
		at := m.cfg.Cache.Positions()
		a, err := m.query(&wire.Query{T: wire.QRoom, Room: id, V: m.Position()})
		if err != nil {
			return nil, err
		}
		p := wire.LogOf(name, len(at))
		if a.Err != nil {
			if a.Err.Code == wire.NotFound { // deleted meanwhile; its leave follows
				return describedRoom{wire.RoomInfo{ID: id, P: p}, at[p], 0}, nil
			}
			return nil, answerError(a.Err)
		}
		if len(a.Rooms) != 1 {
			return nil, fmt.Errorf("room %q: an answer without it", id)
		}
		m.learn(a, a.Rooms, at)
		return describedRoom{a.Rooms[0], at[p], a.V}, nil
	})
	if err != nil {
		return describedRoom{}, err
	}
	return v.(describedRoom), nil
}
