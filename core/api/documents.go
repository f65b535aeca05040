package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"selvedge/core/directory"
	"selvedge/wire"
)

// maxBatch is the largest number of documents in one request.
const maxBatch = 10_000

// document is a user's or room's document, as it is sent and answered.
type document struct {
	Data    wire.Data `json:"data"`
	Version *uint64   `json:"version,omitempty"`
}

// foundRoom answers for one room.
type foundRoom struct {
	Data        wire.Data `json:"data"`
	Version     uint64    `json:"version"`
	MemberCount int       `json:"member_count"`
}

// listedUser and listedRoom are items of a listing.
type (
	listedUser struct {
		ID      wire.UserID `json:"id"`
		Data    wire.Data   `json:"data"`
		Version uint64      `json:"version"`
	}
	listedRoom struct {
		ID          wire.RoomID `json:"id"`
		Data        wire.Data   `json:"data"`
		Version     uint64      `json:"version"`
		MemberCount int         `json:"member_count"`
	}
)

// listing is a page of documents.
type listing[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// check reports why d can't be stored.
func (d *document) check() *problem {
	switch {
	case len(d.Data) == 0:
		return bad("data", "data is missing: send an object")
	case !d.Data.IsObject():
		return bad("data", "data must be a JSON object")
	case len(d.Data) > wire.MaxData:
		return &problem{Code: wire.TooLarge, Message: fmt.Sprintf("data of %d bytes, at most %d are allowed", len(d.Data), wire.MaxData), Field: "data"}
	case d.Version != nil && *d.Version >= maxPosition:
		return bad("version", "version is %d: use less than 2^53", *d.Version)
	}
	// A document is sent to sockets as the data of a message: it nests no deeper.
	if err := (&wire.Post{Ch: "topic:x", Data: d.Data}).Check(); err != nil {
		return bad("data", "%v", err)
	}
	return nil
}

// decodeDocument reads a document from a body.
func (q *request) decodeDocument() (document, error) {
	var d document
	if err := q.decode(&d); err != nil {
		return d, err
	}
	if p := d.check(); p != nil {
		return d, p
	}
	return d, nil
}

func writtenAnswer(w directory.Written, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if w.Created {
		status = http.StatusCreated
	}
	return answer{status, document{Data: w.Data, Version: &w.Version}}, nil
}

// write is the common part of PUT and PATCH.
func write[ID ~string](q *request, id func() (ID, error), do func(ID, wire.Data, *uint64) (directory.Written, error)) (answer, error) {
	target, err := id()
	if err != nil {
		return answer{}, err
	}
	d, err := q.decodeDocument()
	if err != nil {
		return answer{}, err
	}
	return writtenAnswer(do(target, d.Data, d.Version))
}

func (a *api) putUser(ctx context.Context, q *request) (answer, error) {
	return write(q, q.userID, func(id wire.UserID, data wire.Data, version *uint64) (directory.Written, error) {
		return a.Directory.PutUser(ctx, id, data, version)
	})
}

func (a *api) patchUser(ctx context.Context, q *request) (answer, error) {
	return write(q, q.userID, func(id wire.UserID, data wire.Data, version *uint64) (directory.Written, error) {
		return a.Directory.PatchUser(ctx, id, data, version)
	})
}

func (a *api) putRoom(ctx context.Context, q *request) (answer, error) {
	return write(q, q.roomID, func(id wire.RoomID, data wire.Data, version *uint64) (directory.Written, error) {
		return a.Directory.PutRoom(ctx, id, data, version)
	})
}

func (a *api) patchRoom(ctx context.Context, q *request) (answer, error) {
	return write(q, q.roomID, func(id wire.RoomID, data wire.Data, version *uint64) (directory.Written, error) {
		return a.Directory.PatchRoom(ctx, id, data, version)
	})
}

func (a *api) getUser(_ context.Context, q *request) (answer, error) {
	id, err := q.userID()
	if err != nil {
		return answer{}, err
	}
	var doc directory.Doc
	var found bool
	err = a.Directory.View.Read(func(r *directory.Reader) (err error) {
		doc, found, err = r.User(id)
		return err
	})
	if err == nil && !found {
		err = &problem{Code: wire.NotFound, Message: fmt.Sprintf("there is no user %q", id)}
	}
	if err != nil {
		return answer{}, err
	}
	return ok(document{Data: doc.Data, Version: &doc.Version})
}

func (a *api) getRoom(_ context.Context, q *request) (answer, error) {
	id, err := q.roomID()
	if err != nil {
		return answer{}, err
	}
	var doc directory.RoomDoc
	var found bool
	err = a.Directory.View.Read(func(r *directory.Reader) (err error) {
		doc, found, err = r.Room(id)
		return err
	})
	if err == nil && !found {
		err = noRoom(id)
	}
	if err != nil {
		return answer{}, err
	}
	return ok(foundRoom{Data: doc.Data, Version: doc.Version, MemberCount: doc.MemberCount})
}

func noRoom(id wire.RoomID) *problem {
	return &problem{Code: wire.NotFound, Message: fmt.Sprintf("there is no room %q: make it with PUT /v1/rooms/{id}", id)}
}

func (a *api) deleteUser(ctx context.Context, q *request) (answer, error) {
	id, err := q.userID()
	if err == nil {
		err = a.Directory.DeleteUser(ctx, id)
	}
	return answer{status: http.StatusNoContent}, err
}

func (a *api) deleteRoom(ctx context.Context, q *request) (answer, error) {
	id, err := q.roomID()
	if err == nil {
		err = a.Directory.DeleteRoom(ctx, id)
	}
	return answer{status: http.StatusNoContent}, err
}

func (a *api) listUsers(_ context.Context, q *request) (answer, error) {
	after, limit, err := q.page()
	if err != nil {
		return answer{}, err
	}
	page := listing[listedUser]{Items: []listedUser{}}
	err = a.Directory.View.Read(func(r *directory.Reader) error {
		users, next, err := r.Users(wire.UserID(after), limit)
		for _, u := range users {
			page.Items = append(page.Items, listedUser{u.ID, u.Data, u.Version})
		}
		page.Next = next
		return err
	})
	return answer{http.StatusOK, page}, err
}

func (a *api) listRooms(_ context.Context, q *request) (answer, error) {
	after, limit, err := q.page()
	if err != nil {
		return answer{}, err
	}
	page := listing[listedRoom]{Items: []listedRoom{}}
	err = a.Directory.View.Read(func(r *directory.Reader) error {
		rooms, next, err := r.Rooms(wire.RoomID(after), limit)
		for _, room := range rooms {
			page.Items = append(page.Items, listedRoom{room.ID, room.Data, room.Version, room.MemberCount})
		}
		page.Next = next
		return err
	})
	return answer{http.StatusOK, page}, err
}

// putResult is the result of one document of a batch that was written.
type putResult struct {
	Version uint64 `json:"version"`
	Created bool   `json:"created,omitempty"`
}

func (a *api) putUsers(ctx context.Context, q *request) (answer, error) {
	return a.putBatch(ctx, q, a.Directory.PutUsers)
}

func (a *api) putRooms(ctx context.Context, q *request) (answer, error) {
	return a.putBatch(ctx, q, a.Directory.PutRooms)
}

func (a *api) putBatch(ctx context.Context, q *request, put func(context.Context, []directory.Put) ([]directory.Written, error)) (answer, error) {
	var body struct {
		Items map[string]*document `json:"items"`
	}
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	switch n := len(body.Items); {
	case body.Items == nil:
		return answer{}, bad("items", "items is missing")
	case n > maxBatch:
		return answer{}, &problem{Code: wire.TooLarge, Message: fmt.Sprintf("%d items, at most %d are allowed", n, maxBatch), Field: "items"}
	}
	puts := make([]directory.Put, 0, len(body.Items))
	for id, d := range body.Items {
		place := "items." + id
		if err := wire.CheckID(id); err != nil {
			return answer{}, bad("items", "%v", err)
		}
		if d == nil {
			return answer{}, bad(place, "expected an object")
		}
		if p := d.check(); p != nil {
			return answer{}, p.at(place)
		}
		puts = append(puts, directory.Put{ID: id, Data: d.Data, Version: d.Version})
	}
	slices.SortFunc(puts, func(x, y directory.Put) int { return strings.Compare(x.ID, y.ID) })
	written, err := put(ctx, puts)
	if err != nil {
		return answer{}, err
	}
	results := make(map[string]any, len(written))
	for i, w := range written {
		if w.Err != nil {
			results[puts[i].ID] = a.itemFailure(w.Err)
		} else {
			results[puts[i].ID] = putResult{Version: w.Version, Created: w.Created}
		}
	}
	return ok(map[string]any{"results": results})
}
