package session

import (
	"fmt"
	"time"

	"selvedge/wire"
)

// ask answers a question of a client by one to the core. Questions run beside
// each other; a client with too many under way waits for the first.
func (s *session) ask(msg *wire.ClientMessage) {
	q, err := s.question(msg)
	if err != nil {
		s.fail(msg.ID, wire.BadRequest, err.Error())
		return
	}
	if room, ok := q.Ch.Room(); q.T == wire.QHistory && ok && !s.user.isMember(room) ||
		q.T == wire.QHistory && q.Ch.IsTopic() && !s.grants.maySubscribe(string(q.Ch)) ||
		q.T == wire.QMembers && !s.user.isMember(q.Room) {
		s.fail(msg.ID, wire.Forbidden, fmt.Sprintf("%s may not read this", s.user.id()))
		return
	}
	if inbox, ok := q.Ch.Inbox(); ok && inbox != s.user.id() {
		s.fail(msg.ID, wire.Forbidden, "an inbox is its user's")
		return
	}
	x := s.extras()
	if x.reads == nil {
		x.reads = make(chan struct{}, maxReads)
	}
	reads := x.reads
	select {
	case reads <- struct{}{}:
	case <-s.m.ctx.Done():
		return
	}
	s.m.serve(func() {
		defer func() { <-reads }()
		defer s.took(msg.T, time.Now())
		if a, stale, err := s.m.read(q); s.answered(msg.ID, a, err) {
			s.sock.SendMessage(reply(msg, a, stale))
		}
	})
}

// question is msg as the core is asked.
func (s *session) question(msg *wire.ClientMessage) (*wire.Query, error) {
	q := &wire.Query{User: s.user.id(), Limit: msg.Limit}
	if q.Limit <= 0 || q.Limit > wire.MaxPage {
		q.Limit = 100
	}
	var err error
	switch msg.T {
	case wire.TGet:
		if len(msg.Objects) == 0 || len(msg.Objects) > wire.MaxPage {
			return nil, fmt.Errorf("objects: 1 to %d keys are needed", wire.MaxPage)
		}
		q.T, q.Keys = wire.QGet, msg.Objects
	case wire.TMembers:
		q.T, q.Room = wire.QMembers, msg.Room
		q.AfterID, err = msg.AfterID()
	case wire.TRooms:
		q.T = wire.QRooms
		q.AfterID, err = msg.AfterID()
	case wire.THistory:
		if err := msg.Ch.Check(); err != nil {
			return nil, err
		}
		q.T, q.Ch, q.Before = wire.QHistory, msg.Ch, msg.Before
		q.After, err = msg.AfterSeq()
	}
	return q, err
}

// reply is the core's answer in the form of the client's request.
func reply(msg *wire.ClientMessage, a *wire.Answer, stale bool) any {
	switch msg.T {
	case wire.TGet:
		objects := a.Objects
		if objects == nil {
			objects = map[string]wire.Object{}
		}
		return wire.Objects{T: wire.TReply, ID: msg.ID, Objects: objects, Missing: list(a.Missing), Stale: stale}
	case wire.TMembers:
		return wire.Members{T: wire.TReply, ID: msg.ID, Members: list(a.Members), Next: a.Next, MemberCount: a.MemberCount, Stale: stale}
	case wire.TRooms:
		return wire.Rooms{T: wire.TReply, ID: msg.ID, Rooms: list(a.Rooms), Next: a.Next, Stale: stale}
	}
	return wire.History{T: wire.TReply, ID: msg.ID, Frames: list(a.Frames), Floor: a.Floor, Last: a.Last, Stale: stale}
}

// list makes an empty list of none: clients count on `[]`.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
