package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"selvedge/core/directory"
	"selvedge/wire"
)

// maxMembers is the largest number of memberships in one list of a request.
const maxMembers = 100_000

// failedItem is a membership that was not changed.
type failedItem struct {
	ID      string    `json:"id"`
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
}

func (a *api) changeMembers(ctx context.Context, q *request) (answer, error) {
	id, err := q.roomID()
	if err != nil {
		return answer{}, err
	}
	var body struct {
		Add    []wire.UserID `json:"add"`
		Remove []wire.UserID `json:"remove"`
	}
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	if p := checkChange(body.Add, body.Remove); p != nil {
		return answer{}, p
	}
	return a.members(ctx, id, directory.MembersChange{Add: body.Add, Remove: body.Remove})
}

func (a *api) replaceMembers(ctx context.Context, q *request) (answer, error) {
	id, err := q.roomID()
	if err != nil {
		return answer{}, err
	}
	var body struct {
		Members []wire.UserID `json:"members"`
	}
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	if body.Members == nil {
		return answer{}, bad("members", "members is missing: send a list, [] to make everyone leave")
	}
	if p := checkIDs("members", body.Members); p != nil {
		return answer{}, p
	}
	return a.members(ctx, id, directory.MembersChange{Add: body.Members, Replace: true})
}

func (a *api) members(ctx context.Context, id wire.RoomID, change directory.MembersChange) (answer, error) {
	done, err := a.Directory.Members(ctx, id, change)
	if errors.Is(err, directory.ErrNotFound) {
		err = noRoom(id)
	}
	if err != nil {
		return answer{}, err
	}
	return ok(struct {
		Added       int          `json:"added"`
		Removed     int          `json:"removed"`
		MemberCount int          `json:"member_count"`
		Failed      []failedItem `json:"failed"`
	}{done.Added, done.Removed, done.MemberCount, a.failed(done.Failed)})
}

func (a *api) changeUserRooms(ctx context.Context, q *request) (answer, error) {
	id, err := q.userID()
	if err != nil {
		return answer{}, err
	}
	var body struct {
		Add    []wire.RoomID `json:"add"`
		Remove []wire.RoomID `json:"remove"`
	}
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	if p := checkChange(body.Add, body.Remove); p != nil {
		return answer{}, p
	}
	done, err := a.Directory.UserRooms(ctx, id, directory.RoomsChange{Add: body.Add, Remove: body.Remove})
	if err != nil {
		return answer{}, err
	}
	return ok(struct {
		Added   int          `json:"added"`
		Removed int          `json:"removed"`
		Failed  []failedItem `json:"failed"`
	}{done.Added, done.Removed, a.failed(done.Failed)})
}

func (a *api) failed(items []directory.Failure) []failedItem {
	out := make([]failedItem, len(items))
	for i, f := range items {
		p := a.itemFailure(f.Err).Error
		out[i] = failedItem{ID: f.ID, Code: p.Code, Message: p.Message}
	}
	return out
}

// checkChange checks the two lists of a change. An id in both has no meaning.
func checkChange[ID ~string](add, remove []ID) *problem {
	if add == nil && remove == nil {
		return bad("add", "add and remove are missing: send one of them")
	}
	if p := checkIDs("add", add); p != nil {
		return p
	}
	if p := checkIDs("remove", remove); p != nil {
		return p
	}
	if len(add) == 0 || len(remove) == 0 {
		return nil
	}
	both := make(map[ID]struct{}, len(add))
	for _, id := range add {
		both[id] = struct{}{}
	}
	for i, id := range remove {
		if _, ok := both[id]; ok {
			return bad("remove["+strconv.Itoa(i)+"]", "%q is in add and in remove", id)
		}
	}
	return nil
}

func checkIDs[ID ~string](field string, ids []ID) *problem {
	if len(ids) > maxMembers {
		return &problem{Code: wire.TooLarge, Message: fmt.Sprintf("%d ids, at most %d are allowed: send them in parts", len(ids), maxMembers), Field: field}
	}
	for i, id := range ids {
		if err := wire.CheckID(string(id)); err != nil {
			return bad(field+"["+strconv.Itoa(i)+"]", "%v", err)
		}
	}
	return nil
}

func (a *api) listMembers(_ context.Context, q *request) (answer, error) {
	id, err := q.roomID()
	if err != nil {
		return answer{}, err
	}
	after, limit, err := q.page()
	if err != nil {
		return answer{}, err
	}
	var page struct {
		Members []wire.UserID `json:"members"`
		Next    string        `json:"next,omitempty"`
	}
	err = a.Directory.View.Read(func(r *directory.Reader) (err error) {
		if _, found, err := r.Room(id); err != nil || !found {
			if err == nil {
				err = noRoom(id)
			}
			return err
		}
		page.Members, page.Next, err = r.Members(id, wire.UserID(after), limit)
		return err
	})
	return answer{http.StatusOK, page}, err
}

// listUserRooms lists the rooms of a user, who may have no document.
func (a *api) listUserRooms(_ context.Context, q *request) (answer, error) {
	id, err := q.userID()
	if err != nil {
		return answer{}, err
	}
	after, limit, err := q.page()
	if err != nil {
		return answer{}, err
	}
	page := struct {
		Rooms []wire.RoomID `json:"rooms"`
		Next  string        `json:"next,omitempty"`
	}{Rooms: []wire.RoomID{}}
	err = a.Directory.View.Read(func(r *directory.Reader) error {
		memberships, next, err := r.RoomsOf(id, wire.RoomID(after), limit)
		for _, m := range memberships {
			page.Rooms = append(page.Rooms, m.Room)
		}
		page.Next = next
		return err
	})
	return answer{http.StatusOK, page}, err
}
