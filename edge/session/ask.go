package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selvedge/edge/roster"
	"selvedge/wire"
)

// ask answers a question of a client: at once if everything is at hand, else
// beside what it says next. A client with too many questions under way waits for
// the first of them.
func (s *session) ask(msg *wire.ClientMessage) {
	start := time.Now()
	var now, later func() error
	switch msg.T {
	case wire.TGet:
		now, later = s.get(msg)
	case wire.TMembers:
		later = s.members(msg)
	case wire.TSearch:
		later = s.search(msg)
	case wire.TRooms:
		now, later = s.rooms(msg)
	case wire.THistory:
		later = s.history(msg)
	}
	switch {
	case now != nil:
		s.result(msg, now(), start)
	case later != nil && s.begin():
		s.m.serve(func() {
			defer func() { <-s.more.reads }()
			s.result(msg, later(), start)
		})
	}
}

// begin takes one of the places for questions under way; there is none any more
// when the edge stops.
func (s *session) begin() bool {
	x := s.extras()
	if x.reads == nil {
		x.reads = make(chan struct{}, maxReads)
	}
	select {
	case x.reads <- struct{}{}:
		return true
	case <-s.m.ctx.Done():
		return false
	}
}

// result tells a client whose question has no answer, and counts it.
func (s *session) result(msg *wire.ClientMessage, err error, start time.Time) {
	if err != nil {
		e := asError(err)
		s.fail(msg.ID, e.Code, e.Message)
	}
	s.m.cfg.Events.Query(msg.T, time.Since(start))
}

// refusal is a question that has no answer, for a reason that the client is told.
type refusal struct{ told wire.Error }

func (r *refusal) Error() string { return answerError(&r.told).Error() }

func refuse(code wire.Code, format string, args ...any) error {
	return &refusal{wire.Error{Code: code, Message: fmt.Sprintf(format, args...)}}
}

// asError is what a client is told of an error.
func asError(err error) *wire.Error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return &r.told
	}
	if r, ok := errors.AsType[*roster.RefusedError](err); ok {
		return &wire.Error{Code: r.Code, Message: r.Message}
	}
	return answerErr(nil, err)
}

// context is that of one question.
func (m *Manager) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.ctx, queryTimeout)
}

// limit is how many items a page has for what was asked for.
func limit(asked, usual, most int) int {
	if asked <= 0 || asked > most {
		return usual
	}
	return asked
}

// history reads a page of a channel.
func (s *session) history(msg *wire.ClientMessage) (later func() error) {
	q := &wire.Query{T: wire.QHistory, User: s.user.id(), Ch: msg.Ch, Before: msg.Before, Limit: limit(msg.Limit, 100, wire.MaxPage)}
	var err error
	if q.After, err = msg.AfterSeq(); err == nil {
		err = msg.Ch.Check()
	}
	if err != nil {
		return refused(refuse(wire.BadRequest, "%s", err))
	}
	if !s.mayRead(msg.Ch) {
		return refused(refuse(wire.Forbidden, "%s may not read this", s.user.id()))
	}
	return func() error {
		a, stale, err := s.m.read(q)
		if err == nil && a.Err != nil {
			err = &refusal{*a.Err}
		}
		if err != nil {
			return err
		}
		s.sock.SendMessage(wire.History{T: wire.TReply, ID: msg.ID, Frames: list(a.Frames), Floor: a.Floor, Last: a.Last, Stale: stale})
		return nil
	}
}

// refused is a question that is answered with an error.
func refused(err error) func() error { return func() error { return err } }

// mayRead reports whether the session may read a channel's frames.
func (s *session) mayRead(ch wire.Channel) bool {
	if room, ok := ch.Room(); ok {
		return s.user.isMember(room)
	}
	if owner, ok := ch.Inbox(); ok {
		return owner == s.user.id()
	}
	return s.grants.maySubscribe(string(ch))
}

// list makes an empty list of none: clients count on `[]`.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
