package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// leeway is how long past its expiry a token is still good.
const leeway = 30 * time.Second

// request handles a message of a running session.
func (s *session) request(w *work, msg *wire.ClientMessage) {
	switch msg.T {
	case wire.TPublish:
		s.publish(w, msg)
	case wire.TSignal:
		s.signal(msg)
	case wire.TSubscribe:
		s.subscribe(msg)
	case wire.TUnsubscribe:
		s.unsubscribe(msg)
	case wire.TRefresh:
		s.refresh(msg)
	case wire.TGet, wire.TMembers, wire.TRooms, wire.THistory, wire.TSearch:
		s.ask(msg)
	case wire.TUnwatch:
		s.unwatch(msg)
	case wire.TFocus:
		s.focus(msg)
	default:
		s.fail(msg.ID, wire.BadRequest, fmt.Sprintf("unknown message type %q", clip(msg.T)))
	}
}

// mayTopic reports whether ch is a topic that a token allows.
func mayTopic(allowed func(string) bool, ch wire.Channel) bool {
	return ch.IsTopic() && ch.Check() == nil && allowed(string(ch))
}

// publish passes a client's post on. Posts of one session go one after the
// other, so that they stay in order whatever the link does. Those that were
// already waiting behind one that failed are not tried (rule 9): the client
// sends them again, in order.
func (s *session) publish(w *work, msg *wire.ClientMessage) {
	post := wire.Post{Ch: msg.Ch, From: string(s.user.id()), MsgID: msg.MsgID, Refs: msg.Refs, Data: msg.Data}
	if err := post.Check(); err != nil {
		code := wire.BadRequest
		if errors.Is(err, wire.ErrTooLarge) {
			code = wire.TooLarge
		}
		s.fail(msg.ID, code, err.Error())
		return
	}
	if !s.grants.mayPublish(string(msg.Ch)) {
		s.fail(msg.ID, wire.Forbidden, fmt.Sprintf("the token does not allow to publish to %s", msg.Ch))
		return
	}
	if room, ok := msg.Ch.Room(); ok && !s.user.isMember(room) {
		s.fail(msg.ID, wire.Forbidden, fmt.Sprintf("%s is not a member of %s", s.user.id(), msg.Ch))
		return
	}
	if post.MsgID == "" { // lets the question be asked again if the link breaks
		post.MsgID = "edge-" + rand.Text()
	}
	if upto, failed := w.failed[post.Ch]; failed && w.handled > upto {
		delete(w.failed, post.Ch)
	} else if failed {
		s.fail(msg.ID, wire.Unavailable, fmt.Sprintf("an earlier post to %s failed: send both again, in order", post.Ch))
		return
	}
	defer s.took("publish", time.Now())
	a, err := s.m.query(&wire.Query{
		T: wire.QPublish, Ch: post.Ch, From: post.From, MsgID: post.MsgID, Refs: post.Refs, Data: post.Data,
	})
	if !s.answered(msg.ID, a, err) {
		if answerErr(a, err).Code == wire.Unavailable {
			s.refuseBehind(w, post.Ch)
		}
		return
	}
	s.sock.SendMessage(wire.Placed{T: wire.TReply, ID: msg.ID, P: a.P, Seq: a.Seq, Epoch: a.Epoch})
}

// refuseBehind has posts to a channel refused that wait now.
func (s *session) refuseBehind(w *work, ch wire.Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(w.queue) == 0 {
		return
	}
	if w.failed == nil {
		w.failed = map[wire.Channel]uint64{}
	}
	w.failed[ch] = w.handled + uint64(len(w.queue))
}

// signal passes on what isn't kept: here at once, elsewhere by the core. It has
// no answer, so what may not be sent is dropped.
func (s *session) signal(msg *wire.ClientMessage) {
	room, isRoom := msg.Ch.Room()
	if msg.Ch.Check() != nil || !s.grants.mayPublish(string(msg.Ch)) || isRoom && !s.user.isMember(room) {
		return
	}
	sig := &wire.Signal{T: wire.TSignal, Ch: msg.Ch, From: string(s.user.id()), Data: msg.Data}
	if s.m.cfg.Upstream.Signal(sig) != nil {
		return // too large, or no link: best effort
	}
	s.m.Signal(sig)
}

// Signal hands a signal to this edge's sockets.
func (m *Manager) Signal(sig *wire.Signal) {
	ch := m.cfg.Cache.Find(sig.Ch)
	if ch == nil {
		return
	}
	sig.T = wire.TSignal
	if p, err := fanout.Encode(sig); err == nil {
		m.engine.Signal(ch, wire.UserID(sig.From), p)
	}
}

func (s *session) subscribe(msg *wire.ClientMessage) {
	switch {
	case !msg.Ch.IsTopic() || msg.Ch.Check() != nil:
		s.fail(msg.ID, wire.BadRequest, fmt.Sprintf("%q is no topic: rooms and the inbox come without subscribing", clip(string(msg.Ch))))
		return
	case !s.grants.maySubscribe(string(msg.Ch)):
		s.fail(msg.ID, wire.Forbidden, fmt.Sprintf("the token does not allow to subscribe to %s", msg.Ch))
		return
	case len(s.extras().topics) >= maxTopics:
		s.fail(msg.ID, wire.RateLimited, fmt.Sprintf("a session has at most %d topics", maxTopics))
		return
	}
	p := wire.LogOf(msg.Ch, s.m.cfg.Cache.Logs())
	since := s.sock.Position(p)
	if msg.Since != nil {
		since = min(since, *msg.Since)
	}
	ch := s.hold(msg.Ch, func(*cache.Channel) wire.Seq { return since })
	id, epoch := msg.ID, *s.m.epoch.Load()
	s.sock.Subscribe(ch, msg.Since, func(from wire.Seq) []byte {
		return s.encode(wire.Placed{T: wire.TReply, ID: id, P: p, Seq: from, Epoch: epoch})
	})
}

func (s *session) unsubscribe(msg *wire.ClientMessage) {
	x := s.extras()
	for i, ch := range x.topics {
		if ch.Name == msg.Ch {
			s.sock.Unsubscribe(ch)
			x.topics = slices.Delete(x.topics, i, i+1)
			s.m.release(ch)
			break
		}
	}
	s.sock.SendMessage(wire.Reply{T: wire.TReply, ID: msg.ID})
}

// refresh takes a newer token of the same user.
func (s *session) refresh(msg *wire.ClientMessage) {
	claims, err := s.m.cfg.Verify(s.m.ctx, msg.Token)
	if err == nil && claims.User != string(s.user.id()) {
		err = fmt.Errorf("the token is %q's, the session %q's", claims.User, s.user.id())
	}
	if err != nil {
		s.fail(msg.ID, wire.Unauthorized, err.Error())
		return
	}
	s.grant(claims)
	s.sock.Expire(claims.Expires.Add(leeway))
	s.sock.SendMessage(wire.Reply{T: wire.TReply, ID: msg.ID})
}

// took reports how long a request took.
func (s *session) took(kind string, start time.Time) {
	s.m.cfg.Events.Query(kind, time.Since(start))
}

// answered reports whether there is an answer, and tells the client if not.
func (s *session) answered(id uint64, a *wire.Answer, err error) bool {
	if err == nil && a.Err == nil {
		return true
	}
	e := answerErr(a, err)
	s.fail(id, e.Code, e.Message)
	return false
}

func answerErr(a *wire.Answer, err error) *wire.Error {
	if err != nil {
		return &wire.Error{Code: wire.Unavailable, Message: "the core can't be reached now: try again"}
	}
	return a.Err
}

// answerError is a core's error as a Go error.
func answerError(e *wire.Error) error { return fmt.Errorf("%s: %s", e.Code, e.Message) }

// focus changes of which rooms frames come.
func (s *session) focus(msg *wire.ClientMessage) {
	rooms, all, err := wire.RoomList(msg.Rooms)
	if err != nil {
		s.fail(msg.ID, wire.BadRequest, err.Error())
		return
	}
	id := msg.ID
	shown, absent := s.user.channels(rooms)
	s.sock.Focus(shown, absent, all, func(late map[wire.Channel]wire.Seq) []byte {
		return s.encode(wire.Focused{T: wire.TReply, ID: id, Late: late})
	})
}
