package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"selvedge/wire"
)

// Document is a user's or room's document.
type Document struct {
	Data wire.Data `json:"data"` // an object
	// Version guards against late writers; nil = the next. Answers have it.
	Version *uint64 `json:"version,omitempty"`
}

// User is a user in a listing.
type User struct {
	ID      wire.UserID `json:"id"`
	Data    wire.Data   `json:"data"`
	Version uint64      `json:"version"`
}

// Room is a room.
type Room struct {
	ID          wire.RoomID `json:"id"`
	Data        wire.Data   `json:"data"`
	Version     uint64      `json:"version"`
	MemberCount int         `json:"member_count"`
}

// Written is what became of a document of a batch.
type Written struct {
	Version uint64 `json:"version"`
	Created bool   `json:"created"`
	Error   *Error `json:"error"` // nil = it is written
}

// Failed is a membership that was not changed.
type Failed struct {
	ID      string    `json:"id"`
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
}

// Changed is what a change of memberships did.
type Changed struct {
	Added       int      `json:"added"`
	Removed     int      `json:"removed"`
	MemberCount int      `json:"member_count"` // of the room; unused by ChangeUserRooms
	Failed      []Failed `json:"failed"`
}

// Page asks for a part of a listing.
type Page struct {
	After string // start behind this id
	Limit int    // 0 = 100, at most 1,000
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.After != "" {
		q.Set("after", p.After)
	}
	if p.Limit != 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return q
}

func userPath(id wire.UserID) string { return "/v1/users/" + url.PathEscape(string(id)) }
func roomPath(id wire.RoomID) string { return "/v1/rooms/" + url.PathEscape(string(id)) }

// PutUser writes a user's document. A version that is older than the stored one
// is a conflict.
func (c *Client) PutUser(ctx context.Context, id wire.UserID, d Document) (Document, error) {
	return c.document(ctx, http.MethodPut, userPath(id), d)
}

// PatchUser changes a user's document by a merge patch (RFC 7396) in d.Data.
func (c *Client) PatchUser(ctx context.Context, id wire.UserID, d Document) (Document, error) {
	return c.document(ctx, http.MethodPatch, userPath(id), d)
}

// GetUser reads a user's document.
func (c *Client) GetUser(ctx context.Context, id wire.UserID) (d Document, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: userPath(id), harmless: true}, &d)
	return d, err
}

// DeleteUser deletes a user, who leaves all rooms. Idempotent.
func (c *Client) DeleteUser(ctx context.Context, id wire.UserID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: userPath(id), harmless: true}, nil)
}

// PutUsers writes up to 10,000 documents, each with its own result.
func (c *Client) PutUsers(ctx context.Context, docs map[wire.UserID]Document) (map[wire.UserID]Written, error) {
	return putAll(ctx, c, "/v1/users/batch", docs)
}

// Users lists the users in order of their ids; next = the After of the next page.
func (c *Client) Users(ctx context.Context, page Page) (users []User, next string, err error) {
	return list[User](ctx, c, "/v1/users", "items", page)
}

// PutRoom writes a room's document, like PutUser.
func (c *Client) PutRoom(ctx context.Context, id wire.RoomID, d Document) (Document, error) {
	return c.document(ctx, http.MethodPut, roomPath(id), d)
}

// PatchRoom changes a room's document, like PatchUser.
func (c *Client) PatchRoom(ctx context.Context, id wire.RoomID, d Document) (Document, error) {
	return c.document(ctx, http.MethodPatch, roomPath(id), d)
}

// GetRoom reads a room.
func (c *Client) GetRoom(ctx context.Context, id wire.RoomID) (room Room, err error) {
	room.ID = id
	err = c.do(ctx, call{method: http.MethodGet, path: roomPath(id), harmless: true}, &room)
	return room, err
}

// DeleteRoom deletes a room, which all members leave first. Idempotent.
func (c *Client) DeleteRoom(ctx context.Context, id wire.RoomID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: roomPath(id), harmless: true}, nil)
}

// PutRooms writes up to 10,000 documents, each with its own result.
func (c *Client) PutRooms(ctx context.Context, docs map[wire.RoomID]Document) (map[wire.RoomID]Written, error) {
	return putAll(ctx, c, "/v1/rooms/batch", docs)
}

// Rooms lists the rooms, like Users.
func (c *Client) Rooms(ctx context.Context, page Page) (rooms []Room, next string, err error) {
	return list[Room](ctx, c, "/v1/rooms", "items", page)
}

// Members lists the members of a room, like Users.
func (c *Client) Members(ctx context.Context, room wire.RoomID, page Page) (members []wire.UserID, next string, err error) {
	return list[wire.UserID](ctx, c, roomPath(room)+"/members", "members", page)
}

// UserRooms lists the rooms that a user is in, like Users.
func (c *Client) UserRooms(ctx context.Context, user wire.UserID, page Page) (rooms []wire.RoomID, next string, err error) {
	return list[wire.RoomID](ctx, c, userPath(user)+"/rooms", "rooms", page)
}

// ChangeMembers makes up to 100,000 users join and as many leave a room.
func (c *Client) ChangeMembers(ctx context.Context, room wire.RoomID, add, remove []wire.UserID) (done Changed, err error) {
	body := map[string]any{"add": some(add), "remove": some(remove)}
	err = c.do(ctx, call{method: http.MethodPost, path: roomPath(room) + "/members", body: body}, &done)
	return done, err
}

// ReplaceMembers makes members the whole set of a room.
func (c *Client) ReplaceMembers(ctx context.Context, room wire.RoomID, members []wire.UserID) (done Changed, err error) {
	body := map[string]any{"members": some(members)}
	err = c.do(ctx, call{method: http.MethodPut, path: roomPath(room) + "/members", body: body}, &done)
	return done, err
}

// ChangeUserRooms makes a user join and leave rooms.
func (c *Client) ChangeUserRooms(ctx context.Context, user wire.UserID, add, remove []wire.RoomID) (done Changed, err error) {
	body := map[string]any{"add": some(add), "remove": some(remove)}
	err = c.do(ctx, call{method: http.MethodPost, path: userPath(user) + "/rooms", body: body}, &done)
	return done, err
}

// some is list, never nil: nil is no list in JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (c *Client) document(ctx context.Context, method, path string, d Document) (out Document, err error) {
	err = c.do(ctx, call{method: method, path: path, body: d}, &out)
	return out, err
}

func putAll[ID ~string](ctx context.Context, c *Client, path string, docs map[ID]Document) (map[ID]Written, error) {
	var answer struct {
		Results map[ID]Written `json:"results"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: path, body: map[string]any{"items": docs}}, &answer)
	return answer.Results, err
}

func list[T any](ctx context.Context, c *Client, path, key string, page Page) (items []T, next string, err error) {
	var raw map[string]wire.Data
	err = c.do(ctx, call{method: http.MethodGet, path: path, query: page.query(), harmless: true}, &raw)
	if err != nil {
		return nil, "", err
	}
	if err = wire.Msgpack.Decode(raw[key], &items); err == nil && len(raw["next"]) > 0 {
		err = wire.Msgpack.Decode(raw["next"], &next)
	}
	return items, next, err
}
