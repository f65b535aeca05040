package session

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"selvedge/edge/objects"
	"selvedge/wire"
)

const (
	// guessBurst and guessRate bound the users that a session asks for and may not
	// see: the core is asked each time, and the cache is full of others.
	guessBurst = 2 * wire.MaxPage
	guessRate  = 50 // per second
	// maxFound is the most that a search brings.
	maxFound = 100
)

// shares asks with which users the session's user shares a room.
func (s *session) shares(ctx context.Context, users []wire.UserID) ([]bool, error) {
	if s.guesses().Tokens() < 1 {
		return nil, refuse(wire.RateLimited, "too many objects were asked for that are not there")
	}
	shared, err := s.m.rosters.Shares(ctx, s.user.id(), s.user.isMember, users)
	if err != nil {
		return nil, err
	}
	missed := 0
	for _, ok := range shared {
		if !ok {
			missed++
		}
	}
	s.guesses().ReserveN(time.Now(), missed)
	return shared, nil
}

// guesses are counted from the first on.
func (s *session) guesses() *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more.guesses == nil {
		s.more.guesses = rate.NewLimiter(guessRate, guessBurst)
	}
	return s.more.guesses
}

// seenHere reports whether this edge is as far as the client is.
func (s *session) seenHere() bool {
	return s.more == nil || s.more.least <= s.m.Position()
}

// catchUp waits until this edge is as far as the client was elsewhere.
func (s *session) catchUp(ctx context.Context) error {
	if s.more == nil {
		return nil
	}
	return s.m.seen.await(ctx, s.more.least, false)
}

// members answers with a page of a room's members.
func (s *session) members(msg *wire.ClientMessage) (later func() error) {
	after, err := msg.AfterID()
	if err != nil {
		return refused(refuse(wire.BadRequest, "%s", err))
	}
	if !s.user.isMember(msg.Room) {
		return refused(refuse(wire.Forbidden, "%s may not read this", s.user.id()))
	}
	return func() error {
		ctx, cancel := s.m.context()
		defer cancel()
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		heard := s.m.heard(wire.StateLog)
		ids, next, count, err := s.m.rosters.Page(ctx, msg.Room, wire.UserID(after), limit(msg.Limit, 100, wire.MaxPage))
		if err != nil {
			return err
		}
		s.sock.SendMessage(wire.Members{
			T: wire.TReply, ID: msg.ID, Members: list(ids), Next: next, MemberCount: count, Stale: heard.stale(),
		})
		return nil
	}
}

// search answers with users of a room, or of any of the user's rooms, whose name
// or id begins so.
func (s *session) search(msg *wire.ClientMessage) (later func() error) {
	if len(msg.Prefix) > wire.MaxName {
		return refused(refuse(wire.BadRequest, "prefix: at most %d bytes", wire.MaxName))
	}
	if msg.Room != "" && !s.user.isMember(msg.Room) {
		return refused(refuse(wire.Forbidden, "%s may not read this", s.user.id()))
	}
	return func() error {
		ctx, cancel := s.m.context()
		defer cancel()
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		var heard heard
		var ids []wire.UserID
		var found []*objects.Object
		once, err := s.m.atOnce(ctx, wire.RoomsKey(s.user.id()), func() (at wire.Seq, err error) {
			heard = s.m.heard(wire.StateLog)
			ids, found, at, err = s.find(ctx, msg)
			return at, err
		})
		if err != nil {
			return err
		}
		s.sendFound(msg, ids, found, !once || heard.stale())
		return nil
	}
}

// find looks for who is searched for, and their documents, and reports the latest state
// position that any of it was read at.
func (s *session) find(ctx context.Context, msg *wire.ClientMessage) (ids []wire.UserID, found []*objects.Object, at wire.Seq, err error) {
	rooms := []wire.RoomID{msg.Room}
	if msg.Room == "" {
		rooms = s.user.roomIDs()
	}
	ids, at, err = s.m.rosters.Search(ctx, rooms, msg.Prefix, limit(msg.Limit, 20, maxFound))
	if err != nil {
		return nil, nil, 0, err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = userPrefix + string(id)
	}
	found = make([]*objects.Object, len(keys))
	err = s.m.objects.Get(ctx, keys, found)
	return ids, found, max(at, latest(found)), err
}

// sendFound answers a search, with as many as fit.
func (s *session) sendFound(msg *wire.ClientMessage, ids []wire.UserID, found []*objects.Object, stale bool) {
	r := wire.Users{T: wire.TReply, ID: msg.ID, Users: []wire.UserInfo{}, Stale: stale}
	size := 0
	saw := make([]uint32, 0, len(found))
	for i, o := range found {
		if size += len(o.Data); size > replyBytes && i > 0 {
			break
		}
		if o.Exists() {
			saw = append(saw, o.ID())
		}
		told := o.Told()
		r.Users = append(r.Users, wire.UserInfo{ID: ids[i], V: told.V, Data: told.Data})
	}
	s.sock.Saw(saw...)
	s.sock.SendMessage(r)
}
