package roster

import (
	"slices"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// user is a user who is known to be in some room. All is guarded by Rosters.mu.
type user struct {
	id     wire.UserID // fixed
	folded string      // fixed: the id, as searches compare it
	name   string      // folded; the folded id if it has none. "" while in no set
	rooms  []uint32    // places of rooms that it is in, in no order; dead ones, too
	v      wire.Seq    // name is known from it on
	sets   int32       // rooms among them that are sets: it is in the index if there are any
	want   uint32      // counts the interests in its document: a marker of an earlier one is nothing
	state  naming
	read   bool // name was read before the interest took effect, and may hold
}

// naming is how far a user of a set is with its name.
type naming uint8

const (
	unnamed naming = iota // its interest has no marker yet
	unread                // nor does the answer hold: its document is to be read
	sure                  // changes come by the stream
)

// userToken is a user with one of its interests.
type userToken struct {
	u    *user
	want uint32
}

// holds reports whether it is still the same interest.
func (t userToken) holds() bool { return t.u.want == t.want && t.u.sets > 0 }

// member is a member as an answer tells of it.
type member struct {
	id     wire.UserID
	folded string
	name   string // folded; folded if it has none
	named  bool   // name says anything
}

// addLocked makes a member of a room, as of position v.
func (s *Rosters) addLocked(r *room, m member, v wire.Seq) {
	u := s.users[m.id]
	if u == nil {
		if m.folded == "" {
			m.folded = fold(string(m.id))
		}
		u = &user{id: m.id, folded: m.folded}
		s.users[m.id] = u
		s.most = max(s.most, len(s.users))
		s.bytes += u.idBytes()
	}
	if _, known := r.members.ReplaceOrInsert(u); !known {
		s.joinLocked(r, u, &m, v)
	}
	if m.named && v > u.v {
		s.renameLocked(u, m.name)
		u.v = v
	}
}

func (s *Rosters) joinLocked(r *room, u *user, m *member, v wire.Seq) {
	u.rooms = append(u.rooms, r.num)
	s.bytes += pairBytes
	if !r.set() {
		return
	}
	if u.sets++; u.sets == 1 {
		u.state, u.read, u.v = unnamed, m.named, 0
		u.want++
		w := upstream.Want{Key: wire.UserKey(u.id), Since: never, Token: userToken{u, u.want}}
		u.name = u.folded
		if m.named {
			w.Since, u.v, u.name = v, v, m.name
		}
		s.index.insert(u)
		s.bytes += u.nameBytes()
		s.wants = append(s.wants, w)
		s.turns++
		s.unnamed = append(s.unnamed, userToken{u, u.want})
	}
	if u.state != sure {
		r.unsure++
	}
}

// removeLocked takes a user out of a room, if it is in it.
func (s *Rosters) removeLocked(r *room, u *user) {
	if _, ok := r.members.Delete(u); ok {
		s.leaveLocked(r, u)
	}
}

// leaveLocked does what follows from a user that is no longer among a room's
// members.
func (s *Rosters) leaveLocked(r *room, u *user) {
	i := slices.Index(u.rooms, r.num)
	last := len(u.rooms) - 1
	u.rooms[i] = u.rooms[last]
	u.rooms = u.rooms[:last]
	s.bytes -= pairBytes
	if r.set() {
		if u.state != sure {
			if r.unsure--; r.unsure == 0 {
				s.wakeLocked(r)
			}
		}
		if u.sets--; u.sets == 0 {
			s.index.remove(u)
			s.bytes -= u.nameBytes()
			u.name = ""
			u.want++
			s.dropped = append(s.dropped, wire.UserKey(u.id))
		}
	}
	if len(u.rooms) == 0 {
		delete(s.users, u.id)
		s.bytes -= u.idBytes()
	}
}

// renameLocked gives a user of a set another name.
func (s *Rosters) renameLocked(u *user, name string) {
	if u.sets == 0 || name == u.name {
		return
	}
	s.index.remove(u)
	s.bytes -= u.nameBytes()
	u.name = name
	s.index.insert(u)
	s.bytes += u.nameBytes()
}

// sureLocked takes note that a user's name is what it is, and that each change
// of it will be told.
func (s *Rosters) sureLocked(u *user) {
	if u.state == sure {
		return
	}
	u.state = sure
	for _, num := range u.rooms {
		if r := s.table[num]; r.set() {
			if r.unsure--; r.unsure == 0 {
				s.wakeLocked(r)
			}
		}
	}
}

// documentLocked takes a record of a user's document.
func (s *Rosters) documentLocked(u *user, rec *wire.StateRecord) {
	if u.sets == 0 || rec.V <= u.v {
		return
	}
	name := ""
	if !rec.Deleted {
		name = wire.NameOf(rec.Data)
	}
	s.renameLocked(u, u.called(name))
	u.v = rec.V
	if u.state == unread { // the interest holds already
		s.sureLocked(u)
	}
}

// called is a name of a document as searches compare it.
func (u *user) called(name string) string {
	if name = fold(name); name == "" {
		return u.folded
	}
	return name
}
