package feed

import (
	"fmt"

	"selvedge/core/directory"
	"selvedge/wire"
)

// rosterBytes is about what a page of a roster takes.
const rosterBytes = 1 << 20

// roster is a page of a room's members with their names, for an edge that means
// to know them all.
func roster(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	doc, ok, err := r.Room(q.Room)
	if err != nil {
		return err
	}
	if !ok {
		return noRoom(q.Room)
	}
	limit := q.Limit
	if limit <= 0 || limit > wire.MaxRoster {
		limit = wire.MaxRoster
	}
	a.MemberCount = doc.MemberCount
	a.Members, a.Names, a.Next, err = r.Roster(q.Room, wire.UserID(q.AfterID), limit, rosterBytes)
	return err
}

// shares says for each of some users in which room the asker meets it, or whether
// it is in the room that is asked about.
func shares(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	if len(q.Users) == 0 || len(q.Users) > wire.MaxPage {
		return fmt.Errorf("%w: shares of %d users, 1 to %d are allowed", errBad, len(q.Users), wire.MaxPage)
	}
	for _, id := range q.Users {
		if err := wire.CheckID(string(id)); err != nil {
			return err
		}
	}
	if q.Room != "" {
		return among(r, q, a)
	}
	err := wire.CheckID(string(q.User))
	if err != nil {
		return err
	}
	a.Shared, err = r.Shares(q.User, q.Users)
	return err
}

func among(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	a.Shared = make([]wire.RoomID, len(q.Users))
	for i, user := range q.Users {
		_, member, err := r.Membership(q.Room, user)
		if err != nil {
			return err
		}
		if member {
			a.Shared[i] = q.Room
		}
	}
	return nil
}

func noRoom(id wire.RoomID) error { return fmt.Errorf("%w: room %q", errNotFound, id) }
