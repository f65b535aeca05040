package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/upstream"
	"selvedge/wire"
)

// user is a user with sessions at this edge, or whose last one went a moment
// ago.
type user struct {
	id wire.UserID
	m  *Manager

	// Guarded by Manager.mu.
	refs  int
	timer *time.Timer // runs out the linger; nil while refs > 0

	marker chan uint64 // capacity 1: the number of the interest's delta, put back by each reader

	// mu also orders what is posted to the shards about this user. It is never
	// held while waiting for anything.
	mu     sync.Mutex
	loaded bool
	gone   bool
	v      wire.Seq // memberships are known up to it at least
	rooms  map[wire.RoomID]*member
	inbox  *cache.Channel
	early  []*op // came before loaded
	ops    []*op
	doing  bool // a goroutine works off ops
}

// member is one membership of a user, as its sessions were told of it.
type member struct {
	ch   *cache.Channel
	from wire.Seq
	v    wire.Seq
}

// attach is the user of id, with one reference more.
func (m *Manager) attach(id wire.UserID) *user {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[id]
	if u == nil {
		u = &user{id: id, m: m, marker: make(chan uint64, 1), rooms: map[wire.RoomID]*member{}}
		m.users[id] = u
		m.cfg.Upstream.Want(wire.StateLog, upstream.Want{
			Key: wire.RoomsKey(id), Since: ^wire.Seq(0) >> 1,
			Sent: func(id uint64) { u.marker <- id },
		})
	}
	u.refs++
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
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
		u.timer = time.AfterFunc(wait, func() { m.forget(u) })
	}
}

func (u *user) stopTimer() {
	if u.timer != nil {
		u.timer.Stop()
	}
}

// forget drops a user that nobody came back for, with all its interests.
func (m *Manager) forget(u *user) {
	m.mu.Lock()
	if u.refs > 0 || m.users[u.id] != u || m.stopped {
		m.mu.Unlock()
		return
	}
	delete(m.users, u.id)
	m.mu.Unlock()
	m.drop(u)
}

// drop gives back what a user holds.
func (m *Manager) drop(u *user) {
	m.cfg.Upstream.Drop(wire.StateLog, wire.RoomsKey(u.id))
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = true
	for _, r := range u.rooms {
		m.release(r.ch)
	}
	if u.inbox != nil {
		m.release(u.inbox)
	}
	for _, o := range append(u.early, u.ops...) {
		m.seen.end(o)
	}
	u.rooms, u.early, u.ops = nil, nil, nil
}

// hello asks the core for the user and its memberships, from after the
// interest in them took effect.
func (u *user) hello(ctx context.Context) (*wire.Answer, error) {
	var marker uint64
	select {
	case marker = <-u.marker:
		u.marker <- marker
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnavailable, ctx.Err())
	}
	return u.m.cfg.Upstream.Query(ctx, &wire.Query{T: wire.QHello, User: u.id, P: wire.StateLog, Marker: marker})
}

// load takes the memberships of an answer, unless they are known already.
// since says from where a session needs the channels of each log.
func (u *user) load(a *wire.Answer, since func(wire.Channel) wire.Seq) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.loaded || u.gone {
		return
	}
	for _, ms := range a.Memberships {
		name := wire.RoomChannel(ms.Room)
		u.rooms[ms.Room] = &member{ch: u.m.acquire(name, since(name)), from: ms.From, v: ms.V}
	}
	inbox := wire.InboxChannel(u.id)
	u.inbox = u.m.acquire(inbox, since(inbox))
	u.loaded, u.v = true, a.V
	early := u.early
	u.early = nil
	for _, o := range early {
		u.applyLocked(o)
	}
}

// channelsLocked are the channels of the user's sessions.
func (u *user) channelsLocked() []*cache.Channel {
	out := make([]*cache.Channel, 0, len(u.rooms)+1)
	for _, r := range u.rooms {
		out = append(out, r.ch)
	}
	return append(out, u.inbox)
}

// joinedSinceLocked are the rooms that were joined after state position v, in
// the order of their joins: a client's own v moves with each.
func (u *user) joinedSinceLocked(v wire.Seq) []wire.RoomID {
	var ids []wire.RoomID
	for id, r := range u.rooms {
		if r.v > v {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b wire.RoomID) int { return cmp.Compare(u.rooms[a].v, u.rooms[b].v) })
	return ids
}

// correctLocked takes the rooms that were left since the core answered out of a
// welcome: its session won't be told.
func (u *user) correctLocked(w *wire.Welcome, answered wire.Seq) {
	if u.v <= answered {
		return
	}
	w.RoomsV = max(w.RoomsV, u.v)
	w.Rooms = slices.DeleteFunc(w.Rooms, func(r wire.RoomInfo) bool { return u.rooms[r.ID] == nil })
}

// isMember reports whether the user is in a room, as far as this edge knows.
func (u *user) isMember(id wire.RoomID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rooms[id] != nil
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
		u.early = append(u.early, o)
	}
}

// applyLocked queues a change that isn't known yet: the load may have been
// read after it.
func (u *user) applyLocked(o *op) {
	if o.rec.V <= u.v {
		u.m.seen.end(o)
		return
	}
	u.ops = append(u.ops, o)
	if !u.doing {
		u.doing = true
		u.m.spawn(u.work)
	}
}

// work does the ops there are.
func (u *user) work() {
	for {
		u.mu.Lock()
		if len(u.ops) == 0 {
			u.ops, u.doing = nil, false
			u.mu.Unlock()
			u.m.seen.advance(0, u.m.engine.Seen)
			return
		}
		o := u.ops[0]
		u.ops = u.ops[1:]
		u.mu.Unlock()
		if o.rec.Deleted {
			u.leave(o.rec)
		} else {
			u.join(o.rec)
		}
		u.m.seen.end(o)
	}
}

// join makes the user's sessions members of a room. It waits for the room's
// description as long as it takes: a member must learn of its room.
func (u *user) join(rec *wire.StateRecord) {
	name := wire.RoomChannel(rec.Room)
	info, err := u.m.room(rec.Room)
	for err != nil {
		select {
		case <-u.m.ctx.Done():
			return
		case <-time.After(time.Second):
		}
		info, err = u.m.room(rec.Room)
	}
	joined, err := fanout.Encode(wire.Joined{
		T: wire.TJoined, Ch: name, P: wire.LogOf(name, u.m.cfg.Cache.Logs()), From: rec.From, V: rec.V, Room: info,
	})
	if err != nil {
		u.m.cfg.Logger.Error("a room that can't be encoded", "room", rec.Room, "err", err)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone || u.rooms[rec.Room] != nil {
		return
	}
	ch := u.m.acquire(name, rec.From)
	u.rooms[rec.Room] = &member{ch: ch, from: rec.From, v: rec.V}
	u.v = max(u.v, rec.V)
	u.m.engine.Join(u.id, ch, rec.From, joined)
}

func (u *user) leave(rec *wire.StateRecord) {
	left, err := fanout.Encode(wire.Left{T: wire.TLeft, Ch: wire.RoomChannel(rec.Room), V: rec.V})
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.v = max(u.v, rec.V)
	r := u.rooms[rec.Room]
	if u.gone || r == nil {
		return
	}
	delete(u.rooms, rec.Room)
	u.m.engine.Leave(u.id, r.ch, left)
	u.m.release(r.ch)
}

// room is a room as its members are told of it; one question for all who ask
// at once.
func (m *Manager) room(id wire.RoomID) (wire.RoomInfo, error) {
	v, err, _ := m.rooms.Do(string(id), func() (any, error) {
		a, err := m.query(&wire.Query{T: wire.QRoom, Room: id})
		if err != nil {
			return nil, err
		}
		if a.Err != nil {
			if a.Err.Code == wire.NotFound { // deleted meanwhile; its leave follows
				return wire.RoomInfo{ID: id, P: wire.LogOf(wire.RoomChannel(id), m.cfg.Cache.Logs())}, nil
			}
			return nil, answerError(a.Err)
		}
		if len(a.Rooms) != 1 {
			return nil, fmt.Errorf("room %q: an answer without it", id)
		}
		return a.Rooms[0], nil
	})
	if err != nil {
		return wire.RoomInfo{}, err
	}
	return v.(wire.RoomInfo), nil
}
