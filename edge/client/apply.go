package client

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"selvedge/wire"
)

const (
	defaultPing = 25 * time.Second
	// leaveBy is the part of a goaway's time that clients spread their leaving
	// over; the rest is for those that are late.
	leaveBy = 0.9
)

// incoming is the part of any message that tells what it is, and all of a
// frame: most messages are frames, and are decoded once.
type incoming struct {
	T     string       `json:"t"`
	ID    uint64       `json:"id"`
	Ch    wire.Channel `json:"ch"`
	P     wire.LogID   `json:"p"`
	Seq   wire.Seq     `json:"seq"`
	Prev  wire.Seq     `json:"prev"`
	TS    int64        `json:"ts"`
	From  wire.Data    `json:"from"` // a name in a message or signal, a position in joined and gap
	MsgID string       `json:"msg_id"`
	Data  wire.Data    `json:"data"`
	Refs  []string     `json:"refs"`
	Back  bool         `json:"back"`
}

// apply takes one message of the edge.
func (s *session) apply(payload []byte) error {
	var in incoming
	if err := s.codec.Decode(payload, &in); err != nil {
		return fmt.Errorf("%w: %w", errDefect, err)
	}
	if s.welcomed.IsZero() && in.T != wire.TWelcome && in.T != wire.TError && in.T != wire.TGoaway {
		return fmt.Errorf("%w: %q before welcome", errDefect, in.T)
	}
	switch in.T {
	case wire.TMessage:
		return s.message(&in, payload)
	case wire.TPong:
		return nil // it was heard: that is all
	}
	if s.cfg.Events.Raw != nil {
		if err := s.raw(in.T, payload); err != nil {
			return err
		}
	}
	on := &s.cfg.Events
	switch in.T {
	case wire.TWelcome:
		return take(s, payload, s.welcome)
	case wire.TJoined:
		return take(s, payload, func(m *wire.Joined) error {
			s.cursor.Joined(m)
			s.put(roomKey(m.Room.ID), m.Room.V, m.Room.Data)
			return tell(on.Joined, m)
		})
	case wire.TLeft:
		return take(s, payload, func(m *wire.Left) error { s.cursor.Left(m); return tell(on.Left, m) })
	case wire.TLive:
		return take(s, payload, func(m *wire.Live) error { s.cursor.Live(m); return tell(on.Live, m) })
	case wire.TCursor:
		return take(s, payload, func(m *wire.CursorMoved) error {
			if err := s.cursor.Moved(m); err != nil {
				return err
			}
			return tell(on.Moved, m)
		})
	case wire.TGap:
		return take(s, payload, func(m *wire.Gap) error {
			if !s.cursor.Gap(m) {
				return nil
			}
			return tell(on.Gap, m)
		})
	case wire.TSignal:
		return take(s, payload, func(m *wire.Signal) error { return tell(on.Signal, m) })
	case wire.TObject:
		return take(s, payload, func(m *wire.ObjectMoved) error { s.put(m.Key, m.V, m.Data); return nil })
	case wire.TActivity:
		return take(s, payload, func(m *wire.Activity) error { return tell(on.Activity, m) })
	case wire.TReply:
		s.requests.settle(in.ID, payload, nil)
	case wire.TError:
		return take(s, payload, s.refused)
	case wire.TGoaway:
		return take(s, payload, s.goaway)
	}
	return nil // a newer edge's: not for us
}

// take decodes a message and hands it over.
func take[M any](s *session, payload []byte, to func(*M) error) error {
	m := new(M)
	if err := s.codec.Decode(payload, m); err != nil {
		return fmt.Errorf("%w: %w", errDefect, err)
	}
	return to(m)
}

func tell[M any](event func(*M), m *M) error {
	if event != nil {
		event(m)
	}
	return nil
}

func (s *session) raw(t string, payload []byte) error {
	if s.codec == wire.Msgpack {
		text, err := wire.Data(payload).AppendJSON(nil)
		if err != nil {
			return fmt.Errorf("%w: %w", errDefect, err)
		}
		payload = text
	}
	s.cfg.Events.Raw(t, payload)
	return nil
}

func (s *session) welcome(w *wire.Welcome) error {
	if !s.welcomed.IsZero() {
		return fmt.Errorf("%w: a second welcome", errDefect)
	}
	resumed := w.Resumed && s.cursor.Started()
	if err := s.cursor.Welcome(w); err != nil {
		return err
	}
	s.welcomed = time.Now()
	s.stats.connections.Add(1)
	s.edges.identify(s.edge, w.Edge.ID, w.Edge.Region)
	silence := time.Duration(w.Ping) * time.Second
	if silence <= 0 {
		silence = defaultPing
	}
	s.silence <- silence          // has room: there is one welcome
	s.requests.resume(s.welcomed) // before events ask for more
	if !resumed {
		s.objects.clear()
	}
	s.watchAll(s.objects.agreed())
	tellObjects := s.learnWelcome(w)
	s.tell(State{Kind: Connected, URL: s.edge.URL, Edge: w.Edge, Resumed: resumed})
	if err := tell(s.cfg.Events.Welcome, w); err != nil {
		return err
	}
	tellObjects()
	return nil
}

// message takes a frame, and delivers it if it is new.
func (s *session) message(in *incoming, payload []byte) error {
	m := &Message{
		T: in.T, Ch: in.Ch, P: in.P, Seq: in.Seq, Prev: in.Prev, TS: in.TS,
		MsgID: in.MsgID, Data: in.Data, Refs: in.Refs, Back: in.Back,
	}
	if len(in.From) > 0 {
		if err := wire.Msgpack.Decode(in.From, &m.From); err != nil {
			return fmt.Errorf("%w: from: %w", errDefect, err)
		}
	}
	switch s.cursor.Message(m) {
	case Duplicate:
		s.stats.duplicates.Add(1)
		return nil
	case Hole:
		if err := s.violated(m); err != nil {
			return err
		}
	case Fresh:
	}
	s.stats.delivered.Add(1)
	if s.cfg.Events.Raw != nil {
		if err := s.raw(in.T, payload); err != nil {
			return err
		}
	}
	return tell(s.cfg.Events.Message, m)
}

// violated resumes to have a hole filled. If that was tried, it says openly
// that frames are gone, and goes on with m.
func (s *session) violated(m *Message) error {
	v := Violation{Ch: m.Ch, P: m.P, Covered: s.cursor.Covered(m.Ch, m.P), Prev: m.Prev, Seq: m.Seq}
	again := v == s.hole
	s.hole = v
	v.Again = again
	s.stats.violations.Add(1)
	if s.cfg.Events.Violation != nil {
		s.cfg.Events.Violation(v)
	}
	if !again {
		return fmt.Errorf("%w: %s between %d and %d", errHole, m.Ch, v.Covered, v.Prev)
	}
	gap := &wire.Gap{T: wire.TGap, Ch: m.Ch, P: m.P, From: v.Covered + 1, To: v.Prev}
	s.cursor.Gap(gap)
	s.cursor.Message(m)
	if s.cfg.Events.Raw != nil {
		text, err := json.Marshal(gap)
		if err != nil {
			return err
		}
		s.cfg.Events.Raw(gap.T, text)
	}
	return tell(s.cfg.Events.Gap, gap)
}

func (s *session) refused(m *wire.Error) error {
	err := &RequestError{Code: m.Code, Message: m.Message}
	if m.ID != 0 {
		s.requests.settle(m.ID, nil, err)
		return nil
	}
	return tell(s.cfg.Events.Error, err)
}

// goaway is wire.Goaway as its reader sees it.
type goaway struct {
	AfterMS int    `json:"after_ms"`
	Edges   []Edge `json:"edges"`
}

// goaway plans to leave, at a random moment before the deadline, so that not
// all arrive elsewhere at once.
func (s *session) goaway(m *goaway) error {
	s.edges.leave(s.edge, m.Edges)
	after := time.Duration(leaveBy * rand.Float64() * float64(max(0, m.AfterMS)) * float64(time.Millisecond))
	select {
	case <-s.leave: // an earlier one that the writer has not seen
	default:
	}
	s.leave <- after // has room: only this goroutine sends
	return nil
}
