package session

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// maxTopics bounds the topics of one session.
const maxTopics = 1000

// hello starts the session, or closes the socket with the reason.
func (s *session) hello(msg *wire.ClientMessage) {
	token := msg.Token
	if token == "" {
		token = s.header
	}
	s.header = ""
	ctx, cancel := context.WithTimeout(s.m.ctx, queryTimeout)
	defer cancel()
	claims, err := s.m.cfg.Verify(ctx, token)
	if err != nil {
		code := wire.CloseUnauthorized
		if errors.Is(err, identity.ErrTokenExpired) {
			code = wire.CloseExpired
		}
		s.close(code, err.Error())
		return
	}
	resume, err := newResume(msg.Resume, s.m.cfg.Cache.Logs())
	if err != nil {
		s.close(wire.CloseMalformed, "resume: "+err.Error())
		return
	}
	for _, ch := range msg.Topics {
		if !s.mayTopic(claims, ch) || len(msg.Topics) > maxTopics {
			s.close(wire.CloseForbidden, "the token does not allow to subscribe to "+string(ch))
			return
		}
	}
	u := s.m.attach(wire.UserID(claims.User))
	s.user, s.claims = u, claims
	answer, err := u.hello(ctx)
	if err == nil && answer.Err != nil {
		err = answerError(answer.Err)
	}
	if epoch := *s.m.epoch.Load(); err == nil && answer.Epoch != epoch {
		err = errors.New("the logs are changing") // the link will tell
	}
	if err != nil {
		s.m.cfg.Logger.Warn("hello failed", "err", err)
		s.close(wire.CloseReconnect, "unavailable: "+err.Error())
		return
	}
	// An epoch that the core itself doesn't know means to start afresh (rule 16).
	if resume != nil && resume.cursor.Epoch != answer.Epoch {
		s.m.cfg.Events.Resume("refused")
		resume = nil
	} else if resume != nil {
		s.m.cfg.Events.Resume("resumed")
	} else {
		s.m.cfg.Events.Resume("fresh")
	}
	s.begin(u, answer, resume, msg.Topics)
	s.expires.Store(claims.Expires.Unix() + int64(leeway.Seconds()))
	s.m.mu.Lock()
	s.m.sessions[s] = struct{}{}
	s.m.mu.Unlock()
}

// resume is a cursor that was read.
type resume struct {
	cursor *wire.Cursor
	at     []wire.Seq
}

func newResume(c *wire.Cursor, logs int) (*resume, error) {
	if c == nil {
		return nil, nil
	}
	at, err := c.At.Positions(logs)
	if err != nil {
		return nil, err
	}
	for ch := range c.Behind {
		if err := ch.Check(); err != nil {
			return nil, err
		}
	}
	return &resume{c, at}, nil
}

// opening is the start of a session as it is put together.
type opening struct {
	st       *fanout.Start
	resume   *resume // nil = afresh
	welcome  wire.Welcome
	answered wire.Seq // state position of the core's answer
	seen     wire.Seq // memberships up to it are known to the client
	rooms    map[wire.RoomID]wire.RoomInfo
}

// begin puts the start of the session together and posts it.
func (s *session) begin(u *user, a *wire.Answer, r *resume, topics []wire.Channel) {
	at, seen := s.sock.Positions(), a.V
	if r != nil {
		at, seen = r.at, r.cursor.V
	}
	// A channel that this session brings to the edge is needed from where the
	// session stands, which for a resumed one may be long ago.
	since := func(name wire.Channel) wire.Seq {
		pos := at[wire.LogOf(name, len(at))]
		if r != nil {
			if b, ok := r.cursor.Behind[name]; ok {
				pos = min(pos, b)
			}
		}
		return pos
	}
	u.load(a, since)
	o := &opening{
		st: &fanout.Start{User: u.id, At: at}, resume: r, answered: a.V, seen: seen,
		rooms: map[wire.RoomID]wire.RoomInfo{},
		welcome: wire.Welcome{
			T: wire.TWelcome, Session: rand.Text(), User: *a.User, Rooms: list(a.Rooms), More: a.Next != "",
			RoomsV: a.RoomsV, Edge: s.m.cfg.Edge, Ping: int(s.m.cfg.Ping.Seconds()), Resumed: r != nil,
			Cursor: wire.Cursor{Epoch: a.Epoch, At: wire.AtOf(at), V: seen},
		},
	}
	for _, name := range topics {
		o.st.Topics = append(o.st.Topics, s.hold(name, since(name)))
	}
	if r != nil {
		o.welcome.Cursor.Behind = r.cursor.Behind
	}
	for _, info := range a.Rooms {
		o.rooms[info.ID] = info
	}
	for !s.post(u, o) {
	}
}

// post posts o once everything is at hand that it needs to say about rooms
// that were joined after the session last looked; until then it fetches one
// thing, and says false.
func (s *session) post(u *user, o *opening) bool {
	u.mu.Lock()
	st := o.st
	st.Joined = st.Joined[:0]
	for _, id := range u.joinedSinceLocked(o.seen) {
		room := u.rooms[id]
		info, ok := o.rooms[id]
		if !ok {
			u.mu.Unlock()
			info, err := s.m.room(id)
			if err != nil {
				s.close(wire.CloseReconnect, "unavailable: "+err.Error())
				return true
			}
			o.rooms[id] = info
			return false
		}
		st.Joined = append(st.Joined, fanout.Joined{Ch: room.ch, From: room.from, Packet: s.encode(wire.Joined{
			T: wire.TJoined, Ch: room.ch.Name, P: room.ch.P, From: room.from, V: room.v, Room: info,
		})})
	}
	defer u.mu.Unlock()
	if u.gone || !u.loaded {
		s.close(wire.CloseReconnect, "the logs changed")
		return true
	}
	u.correctLocked(&o.welcome, o.answered)
	st.Welcome = s.encode(o.welcome)
	st.Rooms = u.channelsLocked()
	if r := o.resume; r != nil && len(r.cursor.Behind) > 0 {
		st.Behind = map[*cache.Channel]wire.Seq{}
		for _, ch := range slices.Concat(st.Rooms, st.Topics) {
			if b, ok := r.cursor.Behind[ch.Name]; ok {
				st.Behind[ch] = b
			}
		}
	}
	s.sock.Start(st)
	return true
}

// hold keeps a topic's channel for the session's life.
func (s *session) hold(name wire.Channel, since wire.Seq) *cache.Channel {
	ch := s.m.acquire(name, since)
	if slices.Contains(s.topics, ch) {
		s.m.release(ch)
		return ch
	}
	s.topics = append(s.topics, ch)
	return ch
}

func (s *session) encode(m any) []byte {
	b, err := wire.Msgpack.Append(nil, m)
	if err != nil {
		s.m.cfg.Logger.Error("a message that can't be encoded", "err", err)
		return nil
	}
	return cache.Packet(s.sock.Codec(), b)
}
