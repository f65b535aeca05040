package session

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// welcomeRooms is how many rooms a welcome describes.
const welcomeRooms = 100

// shown are the rooms that a welcome describes.
type shown struct {
	infos   []wire.Data
	more    bool          // there are others
	lacking []wire.RoomID // should be among infos, and are not at hand
}

// recent are a user's most recently active rooms, the first welcomeRooms or as many
// as a welcome holds, in the order that the core would have them in; those of extra
// were asked for. It isn't ok if it is not known here which they are.
func (m *Manager) recent(u *user, channels fanout.Rooms, extra map[wire.RoomID]describedRoom) (list shown, ok bool) {
	rooms, all, ok := m.latest(u, channels)
	if !ok {
		return list, false
	}
	size := 0
	for _, r := range rooms[:min(len(rooms), welcomeRooms)] {
		info, _, here := m.info(r.ch)
		if !here {
			id, _ := r.name.Room()
			said, asked := extra[id]
			if !asked {
				list.lacking = append(list.lacking, id)
				continue
			}
			info = said.info
			info.Seq, info.TS = r.seq, r.ts
		}
		b := wire.AppendRoomInfo(nil, &info)
		list.infos = append(list.infos, b)
		if size += len(b) + roomOverhead; size > replyBytes {
			break
		}
	}
	list.more = all > len(list.infos)
	return list, size > replyBytes || len(rooms) >= min(all, welcomeRooms)
}

// place is a room of a user, and its channel.
type place struct {
	active
	ch *cache.Channel
}

// latest are those of a user's rooms that are sure to have been active after all
// others of them, the most recently active first; all is how many rooms there are. It
// isn't ok if nothing is known of where some of them end.
//
// A room's end is known if the core has told it, or a frame passed here. Of a user in
// many rooms the core tells the most recently active ones; the end of another is not
// known then, but that it is no later than those.
func (m *Manager) latest(u *user, channels fanout.Rooms) (rooms []place, all int, ok bool) {
	said := m.told.find(u)
	rooms = make([]place, 0, channels.Len())
	for ch := range m.engine.Numbers().All(channels) {
		if _, room := ch.Name.Room(); !room {
			continue
		}
		all++
		end, state := m.lasts.look(ch)
		switch {
		case state == known:
			rooms = append(rooms, place{active{ch.Name, end.seq, end.ts}, ch})
		case !said.bounds(ch):
			return nil, all, false
		}
	}
	if len(rooms) < all {
		rooms = slices.DeleteFunc(rooms, func(r place) bool { return r.before(said.least) > 0 })
	}
	slices.SortFunc(rooms, func(a, b place) int { return a.before(b.active) })
	return rooms, all, true
}

// learnHello keeps what a welcome tells of, for the user's next: of users with
// many rooms, and of those that have come again. In a storm of newcomers it would
// take more than it saves.
func (m *Manager) learnHello(user *user, a *wire.Answer, h *wire.Hello, at []wire.Seq) {
	m.learning.RLock()
	defer m.learning.RUnlock()
	if a.Epoch != *m.epoch.Load() {
		return
	}
	var u wire.UserInfo
	if wire.Msgpack.Decode(h.User, &u) == nil {
		m.objects.Seed(userPrefix+string(user.id()), wire.Object{V: u.V, Data: u.Data}, a.V)
	}
	said := telling{at: at}
	for _, b := range h.Rooms {
		var r wire.RoomInfo
		if wire.Msgpack.Decode(b, &r) != nil {
			return
		}
		m.learnRoom(&r, a.V, at)
		said.least = active{wire.RoomChannel(r.ID), r.Seq, r.TS}
	}
	if h.More {
		user.told(said)
	}
}

// told keeps what the core has told of the user's rooms. It knew of all that were
// joined here before it was asked; and where one that is joined later ends is learned
// with that.
func (u *user) told(said telling) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.gone {
		u.m.told.keep(u, said)
	}
}
