package directory

import (
	"context"
	"slices"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// MembersChange is a change of a room's members.
type MembersChange struct {
	Add, Remove []wire.UserID
	// Replace makes Add the whole set: everyone else leaves. Remove is then unused.
	Replace bool
}

// RoomsChange is a change of the rooms that a user is in.
type RoomsChange struct {
	Add, Remove []wire.RoomID
}

// Changed is what a change of memberships did. Who was a member already, or was
// none, is not counted.
type Changed struct {
	Added, Removed int
	MemberCount    int // of the room, afterwards; unused by UserRooms
	Failed         []Failure
}

// Failure is one membership that could not be changed.
type Failure struct {
	ID  string // the user's, or for UserRooms the room's
	Err error
}

// member is one membership to write.
type member struct {
	room wire.RoomID
	user wire.UserID
}

// Members makes users join and leave a room. Users need no document; without the
// room, it is ErrNotFound. A join gets every frame after the end of the room's
// log as it was when the call was taken; who is a member already keeps the first.
func (w *Writer) Members(ctx context.Context, room wire.RoomID, change MembersChange) (Changed, error) {
	if err := w.fresh(ctx); err != nil {
		return Changed{}, err
	}
	if ok, err := w.roomExists(room); err != nil || !ok {
		if err == nil {
			err = ErrNotFound
		}
		return Changed{}, err
	}
	var done Changed
	var err error
	if change.Replace {
		err = w.removeOthers(ctx, room, change.Add, &done)
	} else {
		err = w.leave(ctx, pairs([]wire.RoomID{room}, change.Remove), byUser, &done)
	}
	if err == nil {
		err = w.join(ctx, pairs([]wire.RoomID{room}, change.Add), byUser, &done)
	}
	if err != nil {
		return Changed{}, err
	}
	err = w.View.Read(func(r *Reader) error {
		doc, ok, err := r.Room(room)
		if err == nil && !ok {
			err = ErrNotFound // deleted meanwhile
		}
		done.MemberCount = doc.MemberCount
		return err
	})
	return done, err
}

// UserRooms makes a user join and leave rooms. A room that doesn't exist is
// among the failed, with ErrNotFound.
func (w *Writer) UserRooms(ctx context.Context, user wire.UserID, change RoomsChange) (Changed, error) {
	var done Changed
	if err := w.leave(ctx, pairs(change.Remove, []wire.UserID{user}), byRoom, &done); err != nil {
		return Changed{}, err
	}
	if err := w.join(ctx, pairs(change.Add, []wire.UserID{user}), byRoom, &done); err != nil {
		return Changed{}, err
	}
	return done, nil
}

func byUser(m member) string { return string(m.user) }
func byRoom(m member) string { return string(m.room) }

// pairs is each room with each user, once, in the order of the store's keys: so
// they are looked up at little cost, here and where the records are applied.
func pairs(rooms []wire.RoomID, users []wire.UserID) []member {
	rooms, users = unique(rooms), unique(users)
	out := make([]member, 0, len(rooms)*len(users))
	for _, room := range rooms {
		for _, user := range users {
			out = append(out, member{room, user})
		}
	}
	return out
}

// unique is ids in their order, each once.
func unique[S ~string](ids []S) []S {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// join writes the joins of members that are none yet.
func (w *Writer) join(ctx context.Context, members []member, name func(member) string, done *Changed) error {
	if err := w.freshEnds(ctx, members); err != nil {
		return err
	}
	var rooms knownRooms
	outcomes, err := w.write(ctx, len(members), func(r *Reader, i int) (*corelog.StateAppend, error) {
		m := members[i]
		if ok, err := rooms.exists(r, m.room); err != nil || !ok {
			if err == nil {
				err = ErrNotFound
			}
			return nil, err
		}
		v, alive, err := r.lastMembership(m)
		if err != nil || alive {
			return nil, err
		}
		return &corelog.StateAppend{
			Record: wire.StateRecord{
				Kind: wire.StateMember, Room: m.room, User: m.user,
				From: w.End(wire.LogOf(wire.RoomChannel(m.room), w.Logs)),
			},
			Expect: v,
		}, nil
	})
	if err != nil {
		return err
	}
	if err := w.undoOrphans(ctx, members, outcomes); err != nil {
		return err
	}
	for i, o := range outcomes {
		switch {
		case o.err != nil:
			done.Failed = append(done.Failed, Failure{ID: name(members[i]), Err: o.err})
		case o.seq != 0:
			done.Added++
		}
	}
	return nil
}

// knownRooms remembers which rooms one Reader has: most changes are of a single
// room.
type knownRooms struct {
	of   *Reader
	have map[wire.RoomID]bool
}

func (k *knownRooms) exists(r *Reader, room wire.RoomID) (bool, error) {
	if k.of != r {
		k.of, k.have = r, map[wire.RoomID]bool{}
	}
	ok, known := k.have[room]
	if known {
		return ok, nil
	}
	ok, err := exists(r.from, oneKey(liveRoom, string(room)))
	if err == nil {
		k.have[room] = ok
	}
	return ok, err
}

// undoOrphans takes back joins of rooms that were deleted at the same time. Who
// comes later sees the other: a deletion looks for members once more behind its
// tombstone, and a join looks for the room once more behind its record.
func (w *Writer) undoOrphans(ctx context.Context, members []member, outcomes []outcome) error {
	var orphans []member
	var rooms knownRooms
	err := w.View.Read(func(r *Reader) error {
		for i, o := range outcomes {
			if o.seq == 0 {
				continue
			}
			ok, err := rooms.exists(r, members[i].room)
			if err != nil {
				return err
			}
			if !ok {
				orphans = append(orphans, members[i])
				outcomes[i] = outcome{err: ErrNotFound}
			}
		}
		return nil
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	var undone Changed
	return w.leave(ctx, orphans, byUser, &undone)
}

// leave writes the leaves of members that are some.
func (w *Writer) leave(ctx context.Context, members []member, name func(member) string, done *Changed) error {
	outcomes, err := w.write(ctx, len(members), func(r *Reader, i int) (*corelog.StateAppend, error) {
		m := members[i]
		v, alive, err := r.lastMembership(m)
		if err != nil || !alive {
			return nil, err
		}
		return &corelog.StateAppend{
			Record: wire.StateRecord{Kind: wire.StateMember, Room: m.room, User: m.user, Deleted: true},
			Expect: v,
		}, nil
	})
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		switch {
		case o.err != nil:
			done.Failed = append(done.Failed, Failure{ID: name(members[i]), Err: o.err})
		case o.seq != 0:
			done.Removed++
		}
	}
	return nil
}

// lastMembership is the position of the key's last record, and whether it is a
// join.
func (r *Reader) lastMembership(m member) (v wire.Seq, alive bool, err error) {
	v, alive, err = r.past.joined(m)
	if err != nil || alive {
		return v, alive, err
	}
	v, _, err = r.past.left(m)
	return v, false, err
}

func (w *Writer) roomExists(room wire.RoomID) (ok bool, err error) {
	err = w.View.Read(func(r *Reader) error {
		ok, err = exists(r.from, oneKey(liveRoom, string(room)))
		return err
	})
	return ok, err
}
