package fanout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/client"
	"selvedge/wire"
)

// world is the random life of a few users at one edge: what a session manager
// would do is done by hand.
type world struct {
	*rig
	rnd     *rand.Rand
	v       wire.Seq
	users   map[wire.UserID]map[wire.Channel]*membership
	pending []asked // interests without their marker
	readers []*reader
	rooms   []wire.Channel
	topics  []wire.Channel
	people  []string
	trims   bool
	// brought is what was known of documents when each frame came: docs.clock.
	brought [rigLogs]map[wire.Seq]int
}

type membership struct {
	ch      *cache.Channel
	from, v wire.Seq
}

type asked struct {
	ch    *cache.Channel
	since wire.Seq
}

// reader is a client that keeps the contract's cursor over its sessions, and
// checks each message against the truth.
type reader struct {
	w      *world
	user   wire.UserID
	c      *peer // nil while it is away
	isDeaf bool
	cursor client.Cursor
	held   map[wire.Channel]*cache.Channel // its topics
	// seen is where each channel stands that it takes; a frame must be the next
	// of the truth after it.
	seen map[wire.Channel]wire.Seq
	last map[wire.Channel]wire.Seq
	view view
}

func (w *world) acquire(name wire.Channel, since wire.Seq) *cache.Channel {
	ch, first := w.cache.Acquire(name)
	if first {
		w.pending = append(w.pending, asked{ch, since})
		if w.rnd.IntN(2) == 0 {
			w.marker()
		}
	}
	return ch
}

// release gives ch back when the shards have done what was posted.
func (w *world) release(ch *cache.Channel) {
	synctest.Wait()
	if w.cache.Release(ch) {
		for i, a := range w.pending {
			if a.ch == ch {
				w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
				return
			}
		}
	}
}

// marker answers one interest.
func (w *world) marker() {
	if len(w.pending) > 0 {
		i := w.rnd.IntN(len(w.pending))
		a := w.pending[i]
		w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
		w.live(a.ch, a.since)
	}
}

func (w *world) member(user wire.UserID, name wire.Channel) {
	w.v++
	p := wire.LogOf(name, rigLogs)
	if m := w.users[user][name]; m != nil {
		delete(w.users[user], name)
		packets, err := Encode(wire.Left{T: wire.TLeft, Ch: name, V: w.v})
		if err != nil {
			w.t.Fatal(err)
		}
		w.e.Leave(user, m.ch, packets)
		w.e.Seen(w.v)
		w.release(m.ch)
		return
	}
	from := w.logs[p].end
	m := &membership{w.acquire(name, from), from, w.v}
	w.users[user][name] = m
	w.e.Join(user, m.ch, from, joinedPackets(w.t, m.ch, from, w.v))
	w.e.Seen(w.v)
}

// come begins a session as hello does: afresh, or from the reader's cursor.
func (rd *reader) come() {
	w := rd.w
	codec := wire.Codec(w.rnd.IntN(int(wire.Codecs)))
	c := w.connect(codec)
	rd.c, rd.isDeaf = c, false
	st := &Start{User: rd.user, At: c.sock.AppendPositions(nil)}
	cur := wire.Cursor{Epoch: "e", At: wire.AtOf(st.At), V: w.v}
	resumed := rd.cursor.Started()
	if resumed {
		cur = rd.cursor.Snapshot()
		at, err := cur.At.Positions(rigLogs)
		if err != nil {
			w.t.Fatal(err)
		}
		st.At = at
	}
	var rooms []*cache.Channel
	for name, m := range w.users[rd.user] {
		rooms = append(rooms, m.ch)
		if m.v > cur.V {
			st.Joined = append(st.Joined, Joined{m.ch, m.from, joinedPackets(w.t, m.ch, m.from, m.v)[codec]})
			delete(rd.seen, name) // it may have left and come back
		}
	}
	for name := range rd.seen {
		if _, topic := rd.held[name]; !topic && w.users[rd.user][name] == nil {
			delete(rd.seen, name) // left while away
		}
	}
	rd.resumeView(&cur)
	for name := range rd.held {
		since := st.At[wire.LogOf(name, rigLogs)]
		if b, ok := cur.Behind[name]; ok {
			since = min(since, b)
		}
		rd.held[name] = w.acquire(name, since)
		st.Topics = append(st.Topics, rd.held[name])
	}
	st.Behind = map[*cache.Channel]wire.Seq{}
	for _, ch := range append(slices.Clip(rooms), st.Topics...) {
		if b, ok := cur.Behind[ch.Name]; ok {
			st.Behind[ch] = b
		}
		if _, ok := rd.seen[ch.Name]; !ok && (w.users[rd.user][ch.Name] == nil || w.users[rd.user][ch.Name].v <= cur.V) {
			rd.seen[ch.Name] = st.At[ch.P]
		}
	}
	packets, err := Encode(wire.Welcome{T: wire.TWelcome, Cursor: cur, Resumed: resumed})
	if err != nil {
		w.t.Fatal(err)
	}
	st.Welcome = packets[codec]
	rd.beginView(st)
	c.mu.Lock()
	c.onMsg = rd.take
	c.mu.Unlock()
	st.Rooms = w.rig.rooms(rooms...)
	c.sock.Start(st)
	synctest.Wait()
}

// cut ends the connection without a word.
func (rd *reader) cut() {
	c := rd.c
	rd.c = nil
	c.mu.Lock()
	c.onMsg = nil
	c.mu.Unlock()
	_ = c.nc.Close()
	if rd.isDeaf {
		c.hears()
	}
	for name, ch := range rd.held {
		rd.w.release(ch)
		rd.held[name] = nil
	}
	synctest.Wait()
}

// mind notices that the edge took the reader for dead.
func (rd *reader) mind() {
	synctest.Wait()
	if rd.c == nil {
		return
	}
	rd.c.mu.Lock()
	closed := rd.c.closed > 0
	rd.c.mu.Unlock()
	if closed {
		rd.cut()
	}
}

// take checks one message. It runs on the client's goroutine, alone.
func (rd *reader) take(m message) {
	w := rd.w
	w.mu.Lock()
	defer w.mu.Unlock()
	fail := func(format string, args ...any) {
		w.t.Errorf("%s: %s: %s", rd.user, m, fmt.Sprintf(format, args...))
	}
	seen, takes := rd.seen[m.Ch]
	if !rd.look(m, fail) {
		return
	}
	switch m.T {
	case wire.TWelcome:
		if err := rd.cursor.Welcome(&wire.Welcome{T: m.T, Cursor: *m.Cur, Resumed: rd.cursor.Started()}); err != nil {
			fail("%v", err)
		}
	case wire.TMessage:
		verdict := rd.cursor.Message(&client.Message{Ch: m.Ch, P: m.P, Seq: m.Seq, Prev: m.Prev, Back: m.Back})
		if !takes || verdict == client.Hole {
			fail("takes %v, verdict %d, it stood at %d", takes, verdict, seen)
			return
		}
		if verdict == client.Duplicate && m.Seq <= rd.last[m.Ch] && rd.last[m.Ch] > 0 && seen < m.Seq {
			rd.seen[m.Ch] = m.Seq // left and joined again: the client's to drop
			return
		}
		next := w.logs[m.P].between(m.Ch, seen, m.Seq)
		if len(next) != 1 || verdict != client.Fresh {
			fail("verdict %d after %d, %d frames on", verdict, seen, len(next))
		}
		rd.seen[m.Ch], rd.last[m.Ch] = m.Seq, m.Seq
	case wire.TGap:
		l := &w.logs[m.P]
		if len(l.between(m.Ch, seen, m.from()-1)) > 0 || len(l.between(m.Ch, m.from()-1, m.To)) == 0 || m.To > l.trimmed {
			fail("it stood at %d, the core has what is after %d", seen, w.logs[m.P].trimmed)
		}
		rd.cursor.Gap(&wire.Gap{Ch: m.Ch, P: m.P, From: m.from(), To: m.To})
		rd.seen[m.Ch] = max(seen, m.To)
	case wire.TJoined:
		rd.cursor.Joined(&wire.Joined{Ch: m.Ch, P: m.P, From: m.from(), V: m.V})
		if rd.seen[m.Ch] = m.from(); takes {
			rd.seen[m.Ch] = max(seen, m.from())
		}
	case wire.TLeft:
		rd.cursor.Left(&wire.Left{Ch: m.Ch, V: m.V})
		delete(rd.seen, m.Ch)
	case wire.TActivity, wire.TObject: // looked at
	case wire.TReply:
		ch := w.topics[m.ID]
		if seen, takes := rd.seen[ch]; takes && m.Data == nil && len(w.logs[m.P].between(ch, seen, m.Seq)) > 0 {
			fail("frames between %d and the reply", seen)
		}
		rd.cursor.Subscribed(ch, m.P, m.Seq)
		rd.seen[ch] = m.Seq
		delete(rd.last, ch)
	case wire.TLive:
		if n := len(w.logs[wire.LogOf(m.Ch, rigLogs)].between(m.Ch, seen, m.Seq)); n > 0 {
			fail("%d frames are missing after %d", n, seen)
		}
		rd.cursor.Live(&wire.Live{Ch: m.Ch, Seq: m.Seq})
	case wire.TCursor:
		for name, seen := range rd.seen {
			p := wire.LogOf(name, rigLogs)
			if upto, ok := m.At[p.String()]; ok && rd.view.shows(name) && len(w.logs[p].between(name, seen, upto)) > 0 {
				fail("%s stands at %d", name, seen)
			}
		}
		if err := rd.cursor.Moved(&wire.CursorMoved{At: m.At, V: m.V}); err != nil {
			fail("%v", err)
		}
	case "close 4009": // it was deaf to too many joins: mind sees to it
	default:
		fail("unexpected")
	}
}

func (rd *reader) subscribe() {
	w := rd.w
	i := w.rnd.IntN(len(w.topics))
	name := w.topics[i]
	if rd.held[name] != nil && w.rnd.IntN(2) == 0 {
		ch := rd.held[name]
		delete(rd.held, name)
		rd.c.sock.Unsubscribe(ch)
		synctest.Wait()
		if rd.isDeaf {
			rd.listen(true)
		}
		synctest.Wait()
		// What was on its way has come: the client takes its leave.
		w.mu.Lock()
		rd.view.lose(name)
		rd.cursor.Unsubscribed(name)
		delete(rd.seen, name)
		delete(rd.last, name)
		w.mu.Unlock()
		w.release(ch)
		return
	}
	p := wire.LogOf(name, rigLogs)
	var since *wire.Seq
	from := rd.c.sock.Position(p)
	if at := w.logs[p].sent; at > 0 && w.rnd.IntN(2) == 0 {
		from = wire.Seq(w.rnd.Int64N(int64(at)))
		since = &from
	}
	if rd.held[name] == nil {
		rd.held[name] = w.acquire(name, from)
	}
	rd.c.sock.Subscribe(rd.held[name], since, func(from wire.Seq) []byte {
		type reply struct {
			T    string     `json:"t"`
			ID   int        `json:"id"`
			P    wire.LogID `json:"p"`
			Seq  wire.Seq   `json:"seq"`
			Data any        `json:"data"` // set: the client asked for since
		}
		m := reply{T: wire.TReply, ID: i, P: p, Seq: from}
		if since != nil {
			m.Data = true
		}
		packets, err := Encode(m)
		if err != nil {
			w.t.Error(err)
		}
		return packets[rd.c.codec]
	})
	synctest.Wait()
}

// listen makes the reader read, or not.
func (rd *reader) listen(on bool) {
	if rd.isDeaf == on {
		if rd.isDeaf = !on; on {
			rd.c.hears()
		} else {
			rd.c.deaf()
		}
	}
}

// trim makes the core lose the head of a log, sometimes beyond what came.
func (w *world) trim() {
	p := wire.LogID(w.rnd.IntN(rigLogs))
	l := &w.logs[p]
	w.mu.Lock()
	l.trimmed = min(l.end, l.trimmed+wire.Seq(w.rnd.IntN(8)))
	w.mu.Unlock()
	if l.trimmed > l.sent {
		w.cache.Log(p).Gap(l.trimmed, l.lost(l.sent, l.trimmed))
		l.sent = l.trimmed
		w.e.Gap(p, l.trimmed)
	}
}

func (w *world) step() {
	rd := w.readers[w.rnd.IntN(len(w.readers))]
	rd.mind()
	any := append(slices.Clip(w.rooms), w.topics...)
	switch n := w.rnd.IntN(100); {
	case n < 30:
		name := any[w.rnd.IntN(len(any))]
		for range 1 + w.rnd.IntN(6) {
			author, refs := w.pickPeople()
			w.writeFrom(name, w.rnd.IntN(400), author, refs...)
		}
	case n < 55:
		p := wire.LogID(w.rnd.IntN(rigLogs))
		l := &w.logs[p]
		w.comes(p, l.sent+wire.Seq(w.rnd.Int64N(int64(l.end-l.sent)+1)))
	case n < 59:
		w.learn(w.people[w.rnd.IntN(len(w.people))])
	case n < 64:
		w.member(rd.user, w.rooms[w.rnd.IntN(len(w.rooms))])
	case n < 70:
		w.marker()
	case n < 74:
		pass(time.Duration(w.rnd.IntN(3000)) * time.Millisecond)
	case n < 76 && w.trims:
		w.trim()
	case rd.c == nil:
		rd.come()
	case n < 84:
		rd.cut()
	case n < 87:
		rd.subscribe()
	case n < 94:
		rd.refocus()
	case n < 96:
		rd.get()
	default:
		rd.listen(rd.isDeaf)
	}
	if w.rnd.IntN(2) == 0 {
		synctest.Wait()
	}
}

// settle lets everything come, and checks that it did.
func (w *world) settle() {
	for p := range w.logs {
		w.comes(wire.LogID(p), w.logs[p].end)
	}
	for range 2 { // some may be on their way out
		for _, rd := range w.readers {
			if rd.mind(); rd.c == nil {
				rd.come()
			}
			rd.listen(true)
		}
		for len(w.pending) > 0 {
			w.marker()
		}
		for _, user := range w.people {
			w.learn(user)
		}
		pass(5 * time.Second)
	}
	for _, rd := range w.readers {
		rd.settleView()
		for name, seen := range rd.seen {
			l := &w.logs[wire.LogOf(name, rigLogs)]
			if !rd.view.shows(name) {
				continue
			}
			if n := len(l.between(name, seen, l.end)); n > 0 {
				w.t.Errorf("%s never got %d frames of %s after %d", rd.user, n, name, seen)
			}
		}
		for name := range w.users[rd.user] {
			if _, ok := rd.seen[name]; !ok {
				w.t.Errorf("%s does not know that it is in %s", rd.user, name)
			}
		}
	}
}

// Whatever happens in whatever order, each session gets, per channel, each frame
// once, in order, from where it began: over cuts, slowness, evictions and late
// interests; what it does not get it is told of. Of rooms out of its focus it gets
// no frames but knows of them, and has them all when they gain it. What frames
// refer to it has before them, if the edge has it, and once.
func TestModel(t *testing.T) {
	seeds := uint64(45)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		cfg := rigConfig{objects: true, sendBuffer: 512, cacheBytes: []int64{160 << 10, 240 << 10, 1 << 20}[seed%3]}
		cfg.Budget = []int{600, 2 << 10, 16 << 10}[seed/3%3]
		cfg.Ping = time.Second
		synctest.Test(t, func(t *testing.T) {
			w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), users: map[wire.UserID]map[wire.Channel]*membership{}}
			w.trims = seed%2 == 1
			w.rig = newRig(t, cfg)
			defer w.stop()
			for p := range wire.LogID(rigLogs) {
				w.rooms = append(w.rooms, room(p, 0), room(p, 1))
				w.topics = append(w.topics, topic(p, 0), topic(p, 1))
				w.brought[p] = map[wire.Seq]int{}
			}
			for i := range maxSeen + 8 {
				w.people = append(w.people, fmt.Sprint("u", i))
			}
			for i, user := range []wire.UserID{"ann", "ann", "bob"} {
				if w.users[user] == nil {
					w.users[user] = map[wire.Channel]*membership{}
				}
				w.readers = append(w.readers, &reader{
					w: w, user: user, held: map[wire.Channel]*cache.Channel{},
					seen: map[wire.Channel]wire.Seq{}, last: map[wire.Channel]wire.Seq{},
					view: view{careful: i > 0},
				})
			}
			for range 300 {
				w.step()
			}
			w.settle()
			for _, rd := range w.readers { // all that was out of focus comes
				rd.c.sock.Focus(nil, nil, true, rd.focusReply(nil, true))
			}
			w.settle()
			if t.Failed() {
				t.Fatalf("seed %d, cache %d, budget %d", seed, cfg.cacheBytes, cfg.Budget)
			}
		})
	}
}
