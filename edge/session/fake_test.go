package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/upstream"
	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
)

// logs is the number of frame logs in these tests.
const logs = 2

// core is an Upstream with a little state of its own.
type core struct {
	engine *fanout.Engine
	cache  *cache.Cache

	mu      sync.Mutex
	epoch   string                            // guarded by mu
	v       wire.Seq                          // guarded by mu: the state log's end
	members map[wire.UserID][]wire.Membership // guarded by mu
	moved   map[wire.UserID]wire.Seq          // guarded by mu: the last join or leave
	fail    error                             // guarded by mu: of every query
	answer  func(*wire.Query) *wire.Answer    // guarded by mu: nil, or nil's answer, = the usual one
	hold    map[wire.QueryKind]chan struct{}  // guarded by mu: queries wait for its close
	asked   []*wire.Query                     // guarded by mu
	held    map[string]int                    // guarded by mu: wants less drops, by log and key
	unlive  bool                              // guarded by mu: interests get no marker
	// marker, if not nil, makes a channel live that was wanted since a position.
	marker  func(ch *cache.Channel, since wire.Seq)
	unshown bool                   // guarded by mu: hellos describe no rooms
	sent    uint64                 // guarded by mu
	signals []*wire.Signal         // guarded by mu
	docs    map[string]wire.Object // guarded by mu: by key
	stands  wire.Seq               // guarded by mu: how far the stream is that markers come by; 0 = to the end
	manager *Manager
	silent  time.Time // guarded by mu: the last watermark of all logs; zero = now
}

func newCore(c *cache.Cache) *core {
	return &core{
		cache: c, epoch: "e1", v: 10, members: map[wire.UserID][]wire.Membership{}, moved: map[wire.UserID]wire.Seq{},
		hold: map[wire.QueryKind]chan struct{}{}, held: map[string]int{}, docs: map[string]wire.Object{},
	}
}

func (c *core) set(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

// member makes a user a member from position from of the room's log, and
// returns the record for the state log.
func (c *core) member(user wire.UserID, room wire.RoomID, from wire.Seq) *wire.StateRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v++
	c.members[user] = append(c.members[user], wire.Membership{Room: room, From: from, V: c.v})
	c.moved[user] = c.v
	return &wire.StateRecord{Kind: wire.StateMember, Room: room, User: user, From: from, V: c.v}
}

// leave is the opposite, for u1.
func (c *core) leave(room wire.RoomID) *wire.StateRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v++
	var rest []wire.Membership
	for _, m := range c.members["u1"] {
		if m.Room != room {
			rest = append(rest, m)
		}
	}
	c.members["u1"], c.moved["u1"] = rest, c.v
	return &wire.StateRecord{Kind: wire.StateMember, Room: room, User: "u1", Deleted: true, V: c.v}
}

// gate holds back queries of a kind until the gate is opened.
func (c *core) gate(kind wire.QueryKind) (open func()) {
	ch := make(chan struct{})
	c.set(func() { c.hold[kind] = ch })
	return sync.OnceFunc(func() {
		c.set(func() { delete(c.hold, kind) })
		close(ch)
	})
}

// questions are those of a kind that were asked.
func (c *core) questions(kind wire.QueryKind) (out []*wire.Query) {
	c.set(func() {
		for _, q := range c.asked {
			if q.T == kind {
				out = append(out, q)
			}
		}
	})
	return out
}

// interests are the keys that are held, by how often.
func (c *core) interests() map[string]int {
	out := map[string]int{}
	c.set(func() {
		for k, n := range c.held {
			if n != 0 {
				out[k] = n
			}
		}
	})
	return out
}

// Query reads its answer before the gate, as a core does whose answer is on its
// way for long.
func (c *core) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	c.mu.Lock()
	c.asked = append(c.asked, q)
	err, a := c.fail, c.answerLocked(q)
	gate := c.hold[q.T]
	c.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, upstream.ErrUnavailable
		}
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// frames is the number of interests that are held, but for those in documents
// and rooms' members.
func (c *core) frames() int {
	held := c.interests()
	for _, id := range []string{"u1", "u2", "a", "b", "d"} {
		for _, k := range []wire.Key{wire.UserKey(wire.UserID(id)), wire.RoomKey(wire.RoomID(id)), wire.MembersKey(wire.RoomID(id))} {
			delete(held, fmt.Sprint(wire.StateLog, " ", k))
		}
	}
	return len(held)
}

func encoded(v any) wire.Data {
	b, err := wire.Msgpack.Append(nil, v)
	if err != nil {
		panic(err)
	}
	return b
}

func (c *core) answerLocked(q *wire.Query) *wire.Answer {
	if c.answer != nil {
		if a := c.answer(q); a != nil {
			return a
		}
	}
	a := &wire.Answer{Epoch: c.epoch, V: c.v}
	switch q.T {
	case wire.QHello:
		var hellos []wire.Hello
		for _, user := range q.Users {
			h := wire.Hello{User: encoded(wire.UserInfo{ID: user, Data: wire.Data{0x80}}), Memberships: c.members[user], RoomsV: c.moved[user]}
			for _, m := range h.Memberships {
				if !c.unshown {
					h.Rooms = append(h.Rooms, encoded(room(m.Room)))
				}
			}
			hellos = append(hellos, h)
		}
		var err error
		if a.Hellos, err = wire.AppendHellos(q.Space(0)[:0], hellos); err != nil { // in it, as a link does
			panic(err)
		}
	case wire.QRoom:
		a.Rooms = []wire.RoomInfo{room(q.Room)}
	case wire.QRooms:
		for _, m := range c.members[q.User] {
			a.Rooms = append(a.Rooms, room(m.Room))
		}
	case wire.QGet:
		a.Objects = map[string]wire.Object{}
		for _, key := range q.Keys {
			if doc, ok := c.docs[key]; ok {
				a.Objects[key] = doc
			} else {
				a.Missing = append(a.Missing, key)
			}
		}
	case wire.QShares:
		for _, user := range q.Users {
			shared := q.Room
			if q.Room == "" {
				shared = c.sharedLocked(q.User, user)
			} else if !slices.Contains(c.inLocked(q.Room), user) {
				shared = ""
			}
			a.Shared = append(a.Shared, shared)
		}
	case wire.QMembers, wire.QRoster:
		a.Members = c.inLocked(q.Room)
		a.Names, a.MemberCount = make([]wire.Name, len(a.Members)), len(a.Members)
		for i, id := range a.Members {
			doc := c.docs["user:"+string(id)]
			a.Names[i] = wire.Name{V: doc.V, Name: wire.NameOf(doc.Data)}
		}
	case wire.QPublish:
		c.sent++
		a.P, a.Seq = wire.LogOf(q.Ch, logs), wire.Seq(1000+c.sent)
	case wire.QFill:
		for i, ch := range q.Chs {
			a.Fills = append(a.Fills, wire.Fill{Ch: ch, Floor: q.Afters[i], Upto: q.Uptos[i]})
		}
	default: // an empty answer
	}
	return a
}

// inLocked are the members of a room, in order.
func (c *core) inLocked(id wire.RoomID) (users []wire.UserID) {
	for user, rooms := range c.members {
		if slices.ContainsFunc(rooms, func(m wire.Membership) bool { return m.Room == id }) {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

// sharedLocked is a room that two users are in.
func (c *core) sharedLocked(a, b wire.UserID) wire.RoomID {
	for _, m := range c.members[a] {
		if slices.Contains(c.inLocked(m.Room), b) {
			return m.Room
		}
	}
	return ""
}

func room(id wire.RoomID) wire.RoomInfo {
	return wire.RoomInfo{ID: id, P: wire.LogOf(wire.RoomChannel(id), logs), MemberCount: 1, Data: wire.Data{0x80}}
}

func (c *core) Want(p wire.LogID, wants ...upstream.Want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range wants {
		c.held[fmt.Sprint(p, " ", w.Key)]++
		if w.Sent != nil {
			w.Sent(7)
		}
		if ch, ok := w.Token.(*cache.Channel); ok && c.marker != nil {
			go c.marker(ch, w.Since)
		} else if ok && !c.unlive {
			ch.SetLive(w.Since)
			c.engine.Covered(p)
		}
		if p == wire.StateLog && !c.unlive {
			m := link.Marker{ID: 7, Seq: cmp.Or(c.stands, c.v)}
			go c.manager.Live([]upstream.Want{w}, m)
		}
	}
}

func (c *core) Drop(p wire.LogID, keys ...wire.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		c.held[fmt.Sprint(p, " ", k)]--
	}
}

func (c *core) Signal(s *wire.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signals = append(c.signals, s)
	return nil
}

// Fresh implements Upstream.
func (c *core) Fresh(wire.LogID) (at time.Time) {
	c.set(func() {
		if at = c.silent; at.IsZero() {
			at = time.Now()
		}
	})
	return at
}

// verify takes "USER [may CHANNEL...]" for the token of a user that may publish
// and subscribe to these.
func verify(_ context.Context, token string) (identity.Claims, error) {
	words := strings.Fields(token)
	switch {
	case len(words) == 0 || words[0] == "forged":
		return identity.Claims{}, fmt.Errorf("%w: it is no JWT", identity.ErrTokenInvalid)
	case words[0] == "expired":
		return identity.Claims{}, fmt.Errorf("%w at noon", identity.ErrTokenExpired)
	}
	c := identity.Claims{User: words[0], Expires: time.Now().Add(time.Hour)}
	if len(words) > 2 {
		c.Publish, c.Subscribe = words[2:], words[2:]
	}
	return c, nil
}
