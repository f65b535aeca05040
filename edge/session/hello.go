package session

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/internal/bug"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// maxTopics bounds the topics of one session.
const maxTopics = 1000

// hello checks who it is, and asks for the user: waits says that welcome
// follows. Else the socket is closed with the reason.
func (s *session) hello(w *work, msg *wire.ClientMessage) (waits bool) {
	token := msg.Token
	if token == "" {
		token = w.header
	}
	w.header = ""
	claims, err := s.m.cfg.Verify(s.m.ctx, token)
	if err != nil {
		code := wire.CloseUnauthorized
		if errors.Is(err, identity.ErrTokenExpired) {
			code = wire.CloseExpired
		}
		s.close(code, err.Error())
		return false
	}
	r, err := newResume(msg.Resume, s.m.cfg.Cache.Logs())
	if err != nil {
		s.close(wire.CloseMalformed, "resume: "+err.Error())
		return false
	}
	for _, ch := range msg.Topics {
		if !mayTopic(claims.MaySubscribe, ch) || len(msg.Topics) > maxTopics {
			s.close(wire.CloseForbidden, "the token does not allow to subscribe to "+string(ch))
			return false
		}
	}
	focus, all, err := wire.RoomList(msg.Focus)
	if err != nil {
		s.close(wire.CloseMalformed, "focus: "+err.Error())
		return false
	}
	s.user = s.m.attach(wire.UserID(claims.User))
	s.grant(claims)
	g := &greeting{
		s: s, u: s.user, resume: r, topics: msg.Topics, focus: focus, focused: !all,
		expires: claims.Expires.Add(leeway), deadline: time.Now().Add(queryTimeout),
	}
	return s.greet(g)
}

// welcome begins the session with the core's answer, and lets it go on. done says
// that it needs the answer no more.
func (s *session) welcome(g *greeting, a *wire.Answer, h *wire.Hello, at []wire.Seq) (done bool) {
	known := g.u.isLoaded()
	r := g.resume
	result := "fresh"
	if r != nil {
		result = "resumed"
		if r.cursor.Epoch != a.Epoch { // the core doesn't know it either: start afresh (rule 16)
			r, result = nil, "refused"
		}
	}
	s.m.cfg.Events.Resume(result)
	o := s.open(g, a, h, r, at)
	if known || h.More {
		s.m.learnHello(g.u, a, h, at)
	}
	ahead := r != nil && !g.u.reaches(r.cursor.V, h, a.V)
	if !ahead {
		if _, posted := s.post(g.u, o); posted {
			s.m.greeted(g, true)
			return true
		}
	}
	// What is left concerns few sessions: it doesn't hold up the others of the batch.
	s.m.spawn(func() {
		if !ahead || s.await(g) {
			s.complete(g.u, o)
		}
		s.m.greeted(g, true)
	})
	return false
}

// reaches reports whether the user's memberships are known here up to state position
// v, after a hello was answered at read.
func (u *user) reaches(v wire.Seq, h *wire.Hello, read wire.Seq) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.v >= h.RoomsV && v <= read || v <= u.m.seen.upto()
}

// await waits until this edge has told of all that the client was told of elsewhere:
// else it would be in rooms that it knows it has left. It closes the socket of one
// that waited for too long.
func (s *session) await(g *greeting) bool {
	ctx, cancel := context.WithDeadline(s.m.ctx, g.deadline)
	defer cancel()
	if err := s.m.seen.await(ctx, g.resume.cursor.V, true); err != nil {
		s.close(wire.CloseReconnect, "unavailable: this edge is behind what the client has seen")
		return false
	}
	return true
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
	if bug.On(bug.OneCursor) {
		c.Behind = nil
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

// open puts the start of the session together.
func (s *session) open(g *greeting, a *wire.Answer, h *wire.Hello, r *resume, asked []wire.Seq) *opening {
	o := newOpening()
	o.positions = s.sock.AppendPositions(o.positions[:0])
	at, seen := o.positions, a.V
	if r != nil {
		at, seen = r.at, r.cursor.V
		if s.m.Position() < seen {
			s.extras().least = seen
		}
	}
	// A channel that this session brings to the edge is needed from where the
	// session stands, which for a resumed one may be long ago.
	since := func(ch *cache.Channel) wire.Seq {
		pos := at[ch.P]
		if r != nil {
			if b, ok := r.cursor.Behind[ch.Name]; ok {
				pos = min(pos, b)
			}
		}
		if h.More { // so that learnHello knows where its channels end
			pos = min(pos, asked[ch.P])
		}
		return pos
	}
	u := g.u
	u.load(h, since)
	o.resume, o.hello, o.read, o.seen = r, h, a.V, seen
	o.focus, o.focused = g.focus, g.focused
	o.st.User, o.st.At, o.st.Expires = u.id(), at, g.expires
	o.welcome = wire.WelcomeParts{
		Session: rand.Text(), User: h.User, Rooms: h.Rooms, More: h.More, RoomsV: h.RoomsV,
		Epoch: a.Epoch, At: at, V: seen,
		Edge: s.m.cfg.Edge, Ping: int(s.m.cfg.Ping.Seconds()), Resumed: r != nil,
	}
	for _, name := range g.topics {
		o.st.Topics = append(o.st.Topics, s.hold(name, since))
	}
	if r != nil {
		o.welcome.Behind = r.cursor.Behind
	}
	return o
}

// complete posts the start, and asks for what is missing for that.
func (s *session) complete(u *user, o *opening) {
	o.fetched = map[wire.RoomID]wire.RoomInfo{}
	for {
		missing, posted := s.post(u, o)
		if posted {
			return
		}
		room, err := s.m.room(missing)
		if err != nil {
			s.close(wire.CloseReconnect, "unavailable: "+err.Error())
			return
		}
		o.fetched[missing] = room.info
	}
}

// post posts o once everything is at hand that it needs to say about rooms
// that were joined after the session last looked; until then it says what is
// missing.
func (s *session) post(u *user, o *opening) (missing wire.RoomID, posted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return s.postLocked(u, o)
}

func (s *session) postLocked(u *user, o *opening) (missing wire.RoomID, posted bool) {
	st := &o.st
	st.Joined = st.Joined[:0]
	for _, m := range u.joinedSinceLocked(o.hello.Memberships, o.read, o.seen) {
		info, ok := o.room(m.Room)
		if !ok {
			return m.Room, false
		}
		ch := u.roomLocked(m.Room)
		st.Joined = append(st.Joined, fanout.Joined{Ch: ch, From: m.From, Packet: s.encode(wire.Joined{
			T: wire.TJoined, Ch: ch.Name, P: ch.P, From: m.From, V: m.V, Room: info,
		})})
	}
	if u.gone || !u.loaded {
		s.close(wire.CloseReconnect, "the logs changed")
		return "", true
	}
	u.correctLocked(&o.welcome, o.read)
	o.text = wire.AppendWelcome(append(o.text[:0], headerRoom[:]...), &o.welcome)
	form := cache.FormOf(s.sock.Codec(), false)
	if o.resume == nil { // when an edge died thousands come back at once, whose edge has better to do
		form = s.sock.Form()
	}
	st.Welcome = cache.PacketOf(form, o.text)
	st.From = u.beginningsLocked(o.hello.Memberships, st.At)
	if o.focused {
		st.Focused = true
		st.Focus, st.Absent = u.channelsLocked(o.focus)
	}
	if r := o.resume; r != nil && len(r.cursor.Behind) > 0 {
		st.Behind = map[*cache.Channel]wire.Seq{}
		own := func(ch *cache.Channel) {
			if b, ok := r.cursor.Behind[ch.Name]; ok {
				st.Behind[ch] = b
			}
		}
		for ch := range s.m.engine.Numbers().All(u.rooms) {
			own(ch)
		}
		for _, ch := range st.Topics {
			own(ch)
		}
	}
	st.Rooms = s.m.engine.Numbers().Hold(u.rooms)
	s.sock.Start(st)
	return "", true
}

// hold keeps a topic's channel for the session's life.
func (s *session) hold(name wire.Channel, since func(*cache.Channel) wire.Seq) *cache.Channel {
	ch := s.m.acquire(name, since)
	x := s.extras()
	if slices.Contains(x.topics, ch) {
		s.m.release(ch)
		return ch
	}
	x.topics = append(x.topics, ch)
	return ch
}

func (s *session) encode(m any) []byte {
	b, err := wire.Msgpack.Append(nil, m)
	if err != nil {
		s.m.cfg.Logger.Error("a message that can't be encoded", "err", err)
		return nil
	}
	return cache.PacketIn(cache.FormOf(s.sock.Codec(), false), b)
}
