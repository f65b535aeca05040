package session

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// town is a core with the rooms of one user, which have frames, and a link that
// brings them when it is told to.
type town struct {
	r    *rig
	rnd  *rand.Rand
	here int // welcomes without the core
	all  int

	mu     sync.Mutex
	frames [logs][]*cache.Frame // guarded by mu: as the core has them
	sent   [logs]wire.Seq       // guarded by mu: what the link has brought
	v      wire.Seq             // guarded by mu: of the state log, likewise
	joined []wire.RoomID
	others []wire.RoomID // rooms that the user is not in
	doc    wire.Data     // every room's
}

func newTown(r *rig, seed uint64) *town {
	w := &town{r: r, rnd: rand.New(rand.NewPCG(seed, 0)), v: 10, doc: wire.Data{0x80}}
	for p := range w.sent {
		w.sent[p] = 100
	}
	r.core.set(func() { r.core.answer, r.core.marker = w.answer, w.marker })
	return w
}

func (w *town) endLocked(p wire.LogID) wire.Seq { return 100 + wire.Seq(len(w.frames[p])) }

// write appends a frame at the core.
func (w *town) write(id wire.RoomID, ts int64) {
	name := wire.RoomChannel(id)
	p := wire.LogOf(name, logs)
	w.mu.Lock()
	defer w.mu.Unlock()
	seq := w.endLocked(p) + 1
	f, err := cache.ParseFrame(wire.AppendFrame(nil, p, seq, w.lastLocked(id).seq, wire.AppendBody(nil, &wire.Post{Ch: name, TS: ts, Data: wire.Data{1}})))
	if err != nil {
		w.r.t.Fatal(err)
	}
	w.frames[p] = append(w.frames[p], f)
}

// lastLocked is a room's last frame.
func (w *town) lastLocked(id wire.RoomID) (end last) {
	name := wire.RoomChannel(id)
	for _, f := range slices.Backward(w.frames[wire.LogOf(name, logs)]) {
		if f.Ch == name {
			return last{seq: f.Seq, ts: f.TS}
		}
	}
	return end
}

// bring has all of a log come down the link.
func (w *town) bring(p wire.LogID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bringLocked(p)
}

func (w *town) bringLocked(p wire.LogID) {
	var frames []*cache.Frame
	for _, f := range w.frames[p][w.sent[p]-100:] {
		fresh, err := cache.ParseFrame(f.Bytes)
		if err != nil {
			w.r.t.Fatal(err)
		}
		frames = append(frames, fresh)
	}
	w.sent[p] = w.endLocked(p)
	l := w.r.core.cache.Log(p)
	kept := l.Append(frames, w.sent[p])
	w.r.m.Passed(kept)
	w.r.engine.Publish(&fanout.Batch{P: p, Frames: kept, Upto: l.Pos()})
}

// marker is what the link does when an interest has taken effect.
func (w *town) marker(ch *cache.Channel, since wire.Seq) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bringLocked(ch.P)
	id, _ := ch.Name.Room()
	if w.lastLocked(id).seq > since {
		since = max(since, w.endLocked(ch.P))
	}
	ch.SetLive(since)
	w.bringLocked(ch.P)
	w.r.engine.Covered(ch.P)
}

// tell is what the core says of a room. The core's lock is held.
func (w *town) tell(id wire.RoomID) wire.RoomInfo {
	info := room(id)
	info.Data = w.doc
	w.mu.Lock()
	defer w.mu.Unlock()
	end := w.lastLocked(id)
	info.V, info.Seq, info.TS = 1, end.seq, end.ts
	return info
}

// recent are the user's rooms as a welcome of the core has them. The core's lock is
// held.
func (w *town) recent() (rooms []wire.RoomInfo, more bool) {
	for _, m := range w.r.core.members["u1"] {
		rooms = append(rooms, w.tell(m.Room))
	}
	slices.SortFunc(rooms, func(a, b wire.RoomInfo) int {
		return cmp.Or(cmp.Compare(b.TS, a.TS), cmp.Compare(a.ID, b.ID))
	})
	n, size := 0, 0
	for n < min(len(rooms), welcomeRooms) && size <= replyBytes {
		size += len(rooms[n].Data) + roomOverhead
		n++
	}
	return rooms[:n], len(rooms) > n
}

// answer is what the core says; its lock is held.
func (w *town) answer(q *wire.Query) *wire.Answer {
	c := w.r.core
	a := &wire.Answer{Epoch: c.epoch, V: c.v}
	switch q.T {
	case wire.QHello:
		h := wire.Hello{User: encoded(wire.UserInfo{ID: "u1", V: 1, Data: wire.Data{0x80}}), Memberships: c.members["u1"], RoomsV: c.v}
		var rooms []wire.RoomInfo
		rooms, h.More = w.recent()
		for i := range rooms {
			h.Rooms = append(h.Rooms, wire.AppendRoomInfo(nil, &rooms[i]))
		}
		var err error
		if a.Hellos, err = wire.AppendHellos(nil, []wire.Hello{h}); err != nil {
			panic(err)
		}
	case wire.QRoom:
		a.Rooms = []wire.RoomInfo{w.tell(q.Room)}
	case wire.QRooms:
		for _, m := range c.members["u1"] {
			if string(m.Room) > q.AfterID {
				a.Rooms = append(a.Rooms, w.tell(m.Room))
			}
		}
		slices.SortFunc(a.Rooms, func(a, b wire.RoomInfo) int { return cmp.Compare(a.ID, b.ID) })
		a.Rooms = a.Rooms[:min(len(a.Rooms), q.Limit)]
	case wire.QFill:
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, ch := range q.Chs {
			f := wire.Fill{Ch: ch, Floor: q.Afters[i], Upto: q.Uptos[i]}
			for _, have := range w.frames[wire.LogOf(ch, logs)] {
				if have.Ch == ch && have.Seq > f.Floor && have.Seq <= f.Upto {
					f.Frames = append(f.Frames, wire.Data(have.Bytes))
				}
			}
			a.Fills = append(a.Fills, f)
		}
	default:
		return nil
	}
	return a
}

// join has the user join one of the other rooms.
func (w *town) join() {
	if len(w.others) == 0 {
		return
	}
	i := w.rnd.IntN(len(w.others))
	id := w.others[i]
	w.others = slices.Delete(w.others, i, i+1)
	p := wire.LogOf(wire.RoomChannel(id), logs)
	w.mu.Lock()
	from := w.endLocked(p)
	w.mu.Unlock()
	rec := w.r.core.member("u1", id, from)
	w.joined = append(w.joined, id)
	w.r.m.State([]*wire.StateRecord{rec}, rec.V)
}

func (w *town) leave() {
	i := w.rnd.IntN(len(w.joined))
	rec := w.r.core.leave(w.joined[i])
	w.others = append(w.others, w.joined[i])
	w.joined = slices.Delete(w.joined, i, i+1)
	w.r.m.State([]*wire.StateRecord{rec}, rec.V)
}

// visit begins a session when all is quiet, and looks at its welcome.
func (w *town) visit(step string) {
	for p := range wire.LogID(logs) {
		w.bring(p)
	}
	synctest.Wait()
	asked := len(w.r.core.questions(wire.QHello))
	c := w.r.hello("u1", "")
	welcome := c.take()[0]
	if w.all++; len(w.r.core.questions(wire.QHello)) == asked {
		w.here++
	}
	var got, want []string
	rooms, _ := welcome["rooms"].([]any)
	for _, room := range rooms {
		m := message(room.(map[string]any))
		got = append(got, fmt.Sprint(m["id"], " ", m.str("seq"), " ", m.str("ts")))
	}
	w.r.core.mu.Lock()
	truth, more := w.recent()
	w.r.core.mu.Unlock()
	for _, room := range truth {
		ts := "null"
		if room.TS != 0 {
			ts = fmt.Sprint(room.TS)
		}
		want = append(want, fmt.Sprint(room.ID, " ", room.Seq, " ", ts))
	}
	if !slices.Equal(got, want) || welcome.str("more") == "true" != more {
		w.r.t.Errorf("%s: a welcome with\n%q, more %s\nwhere the core has\n%q, more %t", step, got, welcome.str("more"), want, more)
	}
	_ = c.conn.Close()
	synctest.Wait()
}

// chat is a few frames, many of them in the same millisecond, in rooms of the user and
// in others.
func (w *town) chat(frames int, ts int64) {
	for range w.rnd.IntN(frames) {
		n := w.rnd.IntN(len(w.joined) + len(w.others))
		w.write(append(slices.Clone(w.joined), w.others...)[n], ts)
	}
}

// step is one event.
func (w *town) step(n int) {
	ts := int64(n/4) + 1
	switch k := w.rnd.IntN(20); {
	case k < 8:
		w.chat(8, ts)
	case k < 10:
		w.bring(wire.LogID(w.rnd.IntN(logs)))
	case k < 12:
		w.join()
	case k < 14:
		for range w.rnd.IntN(min(5, len(w.joined)-1)) {
			w.leave()
		}
	case k < 16: // something comes while the core's answer is on its way
		w.visit(fmt.Sprint("before step ", n))
		open := w.r.core.gate(wire.QHello)
		c := w.r.hello("u1", "")
		w.chat(5, ts)
		if w.rnd.IntN(2) == 0 {
			w.bring(wire.LogID(w.rnd.IntN(logs)))
		}
		if w.rnd.IntN(4) == 0 {
			w.join()
			synctest.Wait()
			w.chat(5, ts)
		}
		open()
		synctest.Wait()
		c.send(fmt.Sprintf(`{"t":"rooms","id":1,"limit":%d,"after":"r%d"}`, w.rnd.IntN(60)+1, w.rnd.IntN(99)))
		synctest.Wait()
		_ = c.conn.Close()
	case k < 17: // the user is forgotten, and comes again
		<-time.After(2 * linger)
	default:
		w.visit(fmt.Sprint("step ", n))
	}
}

// Whatever was said in whatever room, and whichever was joined or left: a welcome has
// the rooms that were active last, each with its last frame, whoever gives it.
func TestWelcomesHaveWhatWasActiveLast(t *testing.T) {
	here, all := 0, 0
	for seed := range uint64(25) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				w := newTown(r, seed)
				for i := range w.rnd.IntN(2*welcomeRooms) + 20 {
					id := wire.RoomID(fmt.Sprint("r", i))
					if i%10 == 0 {
						w.others = append(w.others, id)
						continue
					}
					r.core.member("u1", id, 100)
					w.joined = append(w.joined, id)
				}
				if w.rnd.IntN(2) == 0 { // it was here when there was nothing yet
					w.visit("first")
				}
				for _, id := range slices.Concat(w.joined, w.others) {
					w.write(id, 1)
				}
				for n := range 60 {
					w.step(n)
				}
				w.visit("the end")
				here, all = here+w.here, all+w.all
			})
		})
	}
	if t.Logf("%d of %d without the core", here, all); 3*here < all {
		t.Errorf("%d of %d welcomes were given without the core", here, all)
	}
}
