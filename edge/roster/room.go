package roster

import (
	"sync/atomic"

	"github.com/google/btree"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// room is a room whose members this edge has an interest in. All is guarded by
// Rosters.mu, but for what is atomic.
type room struct {
	id  wire.RoomID // fixed
	num uint32      // fixed: its place in Rosters.table
	// touched: it was used since it was looked at for eviction.
	touched atomic.Bool
	// pins keep it from eviction. They are put in under mu, for reading at least.
	pins atomic.Int32

	live    bool // the interest has its marker
	counted bool // count is known; without live, unless the marker says otherwise
	whole   bool // members are all there are
	dead    bool // it was forgotten; nothing of it is valid
	count   int32
	unsure  int32    // members of a set whose names are not sure yet
	countV  wire.Seq // count is as of it at least
	leftV   wire.Seq // the last leave
	// from is the position from which on nothing was missed: what was read before
	// it says nothing. As long as the room isn't live, that has yet to turn out.
	from wire.Seq

	members *btree.BTreeG[*user] // known ones, by id
	load    *load                // reads all of them; nil = nobody does
	marks   []mark               // of the load, until the stream has passed them
	wait    chan struct{}        // closed and nil when something has changed; nil = nobody waits
}

// mark says that the users up to last, after the mark before, are known from
// position v.
type mark struct {
	last wire.UserID // "" = all that follow
	v    wire.Seq
}

// never is a position that no answer was read at.
const never = ^wire.Seq(0) >> 1

// newRoomLocked is a room with its interest; something of it is known from
// position since on (or never).
func (s *Rosters) newRoomLocked(id wire.RoomID, since wire.Seq) *room {
	r := &room{id: id, from: since, members: newTree()}
	if n := len(s.free); n > 0 {
		r.num = s.free[n-1]
		s.free = s.free[:n-1]
		s.table[r.num] = r
	} else {
		r.num = uint32(len(s.table))
		s.table = append(s.table, r)
	}
	s.rooms.Add(id, r)
	s.bytes += roomBytes + int64(len(id))
	s.wants = append(s.wants, upstream.Want{Key: wire.MembersKey(id), Since: since, Token: r})
	return r
}

// touch takes note that the room is used.
func (r *room) touch() {
	if !r.touched.Load() {
		r.touched.Store(true)
	}
}

// set reports whether all members are known or about to be: each of them has its
// name then.
func (r *room) set() bool { return r.whole || r.load != nil }

// knows reports whether members says who is in the room at the moment.
func (r *room) knows() bool { return r.live && r.load == nil && !r.dead }

// named reports whether all members are known, with their names.
func (r *room) named() bool { return r.whole && r.unsure == 0 }

// waitLocked is closed when something about the room has changed.
func (s *Rosters) waitLocked(r *room) <-chan struct{} {
	if r.wait == nil {
		r.wait = make(chan struct{})
	}
	return r.wait
}

func (s *Rosters) wakeLocked(r *room) {
	if r.wait != nil {
		close(r.wait)
		r.wait = nil
	}
}

// liveLocked takes the marker of the room's interest.
func (s *Rosters) liveLocked(r *room, at wire.Seq, moved bool) {
	if r.dead || r.live {
		return
	}
	r.live = true
	if r.from == never || moved {
		r.from = at
		r.counted = r.counted && r.countV >= at
		s.clearLocked(r)
	}
	s.wakeLocked(r)
}

// memberLocked takes a record of the stream.
func (s *Rosters) memberLocked(r *room, rec *wire.StateRecord) {
	if rec.V > r.countV {
		r.count, r.countV = int32(rec.MemberCount), rec.V
		r.counted = r.counted || r.live
	}
	if rec.Deleted {
		r.leftV = max(r.leftV, rec.V)
	}
	switch {
	case r.load != nil:
		if !r.load.journalLocked(rec) {
			return
		}
	case r.whole:
		if v, known := since(r.marks, rec.User); known && rec.V <= v {
			return
		}
		r.passedLocked(rec.V)
	case !rec.Deleted:
		return // some are known, it needn't be one of them
	}
	s.changeLocked(r, rec.User, rec.Deleted, rec.V)
	if r.whole && r.unsure > maxUnsure {
		s.dropLocked(r) // to load it anew is cheaper
	}
}

// changeLocked makes a user a member at position v, or no more one.
func (s *Rosters) changeLocked(r *room, id wire.UserID, left bool, v wire.Seq) {
	if left {
		if u := s.users[id]; u != nil {
			s.removeLocked(r, u)
		}
		return
	}
	s.addLocked(r, member{id: id}, v)
}

// passedLocked forgets marks that the stream has passed.
func (r *room) passedLocked(v wire.Seq) {
	for _, m := range r.marks {
		if m.v > v {
			return
		}
	}
	r.marks = nil
}

// since is the position from which marks know a user, if one does.
func since(marks []mark, id wire.UserID) (v wire.Seq, known bool) {
	for _, m := range marks {
		if m.last == "" || id <= m.last {
			return m.v, true
		}
	}
	return 0, false
}
