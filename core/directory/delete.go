package directory

import (
	"context"

	"selvedge/wire"
)

// DeleteRoom makes every member leave and deletes the room's document. Without
// any, it does nothing. When it fails, some members may have left: call it again.
func (w *Writer) DeleteRoom(ctx context.Context, room wire.RoomID) error {
	if err := w.fresh(ctx); err != nil {
		return err
	}
	if err := w.removeAll(ctx, room); err != nil {
		return err
	}
	if err := w.bury(ctx, wire.StateRoom, string(room)); err != nil {
		return err
	}
	// Who joined meanwhile: see undoOrphans.
	return w.removeAll(ctx, room)
}

// DeleteUser makes the user leave every room and deletes its document. Without
// any, it does nothing. When it fails, some rooms may be left: call it again.
func (w *Writer) DeleteUser(ctx context.Context, user wire.UserID) error {
	if err := w.fresh(ctx); err != nil {
		return err
	}
	after := ""
	for {
		var rooms []wire.Membership
		err := w.View.Read(func(r *Reader) (err error) {
			rooms, after, err = r.RoomsOf(user, wire.RoomID(after), chunk)
			return err
		})
		if err != nil {
			return err
		}
		gone := make([]member, len(rooms))
		for i, m := range rooms {
			gone[i] = member{m.Room, user}
		}
		if err := w.leaveAll(ctx, gone); err != nil {
			return err
		}
		if after == "" {
			return w.bury(ctx, wire.StateUser, string(user))
		}
	}
}

// removeAll makes all members of a room leave.
func (w *Writer) removeAll(ctx context.Context, room wire.RoomID) error {
	return w.eachMembers(room, func(page []wire.UserID) error {
		return w.leaveAll(ctx, pairs([]wire.RoomID{room}, page))
	})
}

// removeOthers makes all members of a room leave but those of keep.
func (w *Writer) removeOthers(ctx context.Context, room wire.RoomID, keep []wire.UserID, done *Changed) error {
	stay := make(map[wire.UserID]struct{}, len(keep))
	for _, user := range keep {
		stay[user] = struct{}{}
	}
	return w.eachMembers(room, func(page []wire.UserID) error {
		var gone []member
		for _, user := range page {
			if _, ok := stay[user]; !ok {
				gone = append(gone, member{room, user})
			}
		}
		return w.leave(ctx, gone, byUser, done)
	})
}

// eachMembers calls fn with the members of a room, page by page: there may be
// more than fit in memory.
func (w *Writer) eachMembers(room wire.RoomID, fn func([]wire.UserID) error) error {
	after := ""
	for {
		var page []wire.UserID
		err := w.View.Read(func(r *Reader) (err error) {
			page, after, err = r.Members(room, wire.UserID(after), chunk)
			return err
		})
		if err != nil {
			return err
		}
		if err := fn(page); err != nil || after == "" {
			return err
		}
	}
}

// leaveAll is leave, where a single failure fails all.
func (w *Writer) leaveAll(ctx context.Context, members []member) error {
	var done Changed
	if err := w.leave(ctx, members, byUser, &done); err != nil {
		return err
	}
	if len(done.Failed) > 0 {
		return done.Failed[0].Err
	}
	return nil
}
