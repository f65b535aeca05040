package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selvedge/core/directory"
	"selvedge/core/feed/chain"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// appliedTimeout bounds the wait for the view to reach what an asker has seen.
const appliedTimeout = 5 * time.Second

// Query implements link.Source.
func (f *Feed) Query(ctx context.Context, _ string, q *wire.Query, applied wire.Seq) *wire.Answer {
	f.cfg.Queried(q.T)
	if q.P != wire.StateLog {
		applied = 0 // a position of another log
	}
	if err := f.seen(ctx, q, applied); err != nil {
		return fail(wire.Unavailable, "this core is behind what was seen")
	}
	a, err := f.answer(ctx, q)
	if err != nil {
		return f.failure(q, err)
	}
	return a
}

func (f *Feed) answer(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	switch q.T {
	case wire.QFill:
		return f.fill(ctx, q)
	case wire.QHistory:
		return f.history(ctx, q)
	case wire.QPublish:
		return f.publish(ctx, q)
	default:
		return f.read(q)
	}
}

// read answers from one snapshot of the view.
func (f *Feed) read(q *wire.Query) (*wire.Answer, error) {
	a := &wire.Answer{Epoch: f.Epoch()}
	err := f.cfg.View.Read(func(r *directory.Reader) error {
		a.V = r.Applied()
		switch q.T {
		case wire.QHello:
			return f.hello(r, q, a)
		case wire.QRooms:
			return f.rooms(r, q, a)
		case wire.QRoom:
			return f.room(r, q, a)
		case wire.QMembers:
			return f.members(r, q, a)
		case wire.QRoster:
			return roster(r, q, a)
		case wire.QShares:
			return shares(r, q, a)
		case wire.QGet:
			return get(r, q, a)
		default:
			return fmt.Errorf("%w: a query %q", errBad, q.T)
		}
	})
	return a, err
}

// Errors of answers.
var (
	errBad       = errors.New("bad query")
	errNotFound  = errors.New("not found")
	errForbidden = errors.New("forbidden")
)

func fail(code wire.Code, message string) *wire.Answer {
	return &wire.Answer{Err: &wire.Error{Code: code, Message: message}}
}

func (f *Feed) failure(q *wire.Query, err error) *wire.Answer {
	switch {
	case errors.Is(err, errBad), errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrBadID), errors.Is(err, wire.ErrBadChannel):
		return fail(wire.BadRequest, err.Error())
	case errors.Is(err, errNotFound):
		return fail(wire.NotFound, err.Error())
	case errors.Is(err, errForbidden):
		return fail(wire.Forbidden, err.Error())
	case errors.Is(err, corelog.ErrIDReused):
		return fail(wire.Conflict, err.Error())
	case errors.Is(err, wire.ErrTooLarge), errors.Is(err, corelog.ErrTooLarge):
		return fail(wire.TooLarge, err.Error())
	}
	f.cfg.Logger.Warn("query failed", "kind", q.T, "err", err)
	return fail(wire.Unavailable, "the log can't be read or written now: try again")
}

// activity is a channel's log and its last frame.
func (f *Feed) activity(ch wire.Channel) (wire.LogID, chain.Last) {
	p := wire.LogOf(ch, f.logs)
	return p, f.chain[p].Last(wire.FramesKey(ch))
}

// describe adds a room as its members are told of it.
func (f *Feed) describe(r *directory.Reader, id wire.RoomID, a *wire.Answer) error {
	doc, _, err := r.Room(id)
	if err != nil {
		return err
	}
	p, last := f.activity(wire.RoomChannel(id))
	a.Rooms = append(a.Rooms, wire.RoomInfo{
		ID: id, P: p, Seq: last.Seq, TS: last.TS, MemberCount: doc.MemberCount, V: doc.V, Data: object(doc.Data),
	})
	return nil
}

func (f *Feed) room(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	if _, ok, err := r.Room(q.Room); err != nil {
		return err
	} else if !ok {
		return noRoom(q.Room)
	}
	return f.describe(r, q.Room, a)
}

func (f *Feed) rooms(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	page, next, err := r.RoomsOf(q.User, wire.RoomID(q.AfterID), pageLimit(q.Limit))
	if err != nil {
		return err
	}
	size := 0
	for i, m := range page {
		if err := f.describe(r, m.Room, a); err != nil {
			return err
		}
		if size += len(a.Rooms[i].Data) + roomOverhead; size > replyBytes && i < len(page)-1 {
			a.Next = string(m.Room)
			return nil
		}
	}
	a.Next = next
	return nil
}

// replyBytes is what one page of documents may take, so that a client's reply
// stays below wire.MaxReply in either codec.
const replyBytes = wire.MaxReply / 2

// roomOverhead is what a room takes in a reply beside its document, in bytes.
const roomOverhead = 200

// pageLimit is how many items a page has for what was asked for.
func pageLimit(asked int) int {
	if asked <= 0 || asked > wire.MaxPage {
		return 100
	}
	return asked
}

func (f *Feed) members(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	doc, ok, err := r.Room(q.Room)
	if err != nil {
		return err
	}
	if !ok {
		return noRoom(q.Room)
	}
	a.MemberCount = doc.MemberCount
	a.Members, a.Next, err = r.Members(q.Room, wire.UserID(q.AfterID), pageLimit(q.Limit))
	return err
}
