package world

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"selvedge/edge/client"
	"selvedge/wire"
)

// age is how old an answer may be that is not said to be stale: a watermark counts
// for 3 s, and was stamped a way before.
const age = staleAfter + 2*time.Second

// hurry is how many changes must come while an answer of several things is put together
// for an edge to give up: it does so four times.
const hurry = 4

// asker is a client that asks.
type asker struct {
	s    *society
	c    *Client
	said *answers
	r    *rand.Rand
}

// question is under way.
type question struct {
	a       *asker
	kind    string
	from    time.Duration
	edge    string
	session int
	seen    sighting
	truth   *chronicle // of the session's epoch
	when    moments
	stale   bool // the answer is said to be old
}

func (a *asker) begin(kind string) *question {
	q := &question{a: a, kind: kind, from: a.c.w.Net.Since()}
	q.edge, q.session = a.c.session()
	q.seen = a.c.sighted()
	q.truth = a.s.truth.of(a.c.epochSeen())
	return q
}

// answered takes an answer. It is false if there is nothing to be held against it:
// none came, or of another session.
func (q *question) answered(stale bool, err error) bool {
	w := q.a.c.w
	to := w.Net.Since()
	edge, session := q.a.c.session()
	if err != nil || q.edge == "" || edge != q.edge || session != q.session {
		return false
	}
	q.stale = stale
	q.when = moments{q.seen.v, q.truth.last(to)}
	came := q.truth.between(q.from-staleAfter, to) // the stream may bring them late
	q.a.said.heard(edge, q.kind == "history", (q.kind == "search" || q.kind == "get") && came >= hurry, q.from, to, stale)
	if !stale {
		most := cmp.Or(q.a.s.Age, age)
		q.when.from = max(q.when.from, q.truth.last(q.from-most))
		if at, over := q.truth.ended(); over && q.from > at+most {
			q.wrong("it is not said to be old, and its epoch ended at %v", at)
		}
	}
	q.a.s.mu.Lock()
	q.a.s.seen[q.kind]++
	q.a.s.mu.Unlock()
	return true
}

// wrong notes an answer that no moment explains.
func (q *question) wrong(format string, args ...any) {
	q.a.s.broken("%s at %s, %s asked at %v: %s; looked at state %d to %d", q.a.c.User, q.edge, q.kind, q.from, fmt.Sprintf(format, args...), q.when.from, q.when.to)
}

// any reports whether something was so at one of the moments that the answer may be of.
func (q *question) any(holds func(*snapshot) bool) bool {
	return q.truth.any(q.when, holds)
}

func (a *asker) user() wire.UserID { return a.s.users[a.r.IntN(len(a.s.users))] }

// room is one of those whose members change.
func (a *asker) room() wire.RoomID { return socialRoom(a.r.IntN(a.s.Rooms)) }

// key is a document's, often the one that is being written.
func (a *asker) key() string {
	a.s.mu.Lock()
	hot := a.s.hot
	a.s.mu.Unlock()
	if a.r.IntN(2) == 0 {
		return hot
	}
	if a.r.IntN(3) == 0 {
		return "room:" + string(a.room())
	}
	return "user:" + string(a.user())
}

// watch has the client watch some documents for all of its time.
func (a *asker) watch(ctx context.Context) {
	var keys []string
	for range watchedBy {
		keys = append(keys, "user:"+string(a.user()), "room:"+string(a.room()))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	a.c.watches(keys)
	for ctx.Err() == nil {
		if _, err := a.c.Watch(ctx, keys...); err == nil {
			return
		}
		pause(ctx, a.r, time.Second)
	}
}

// ask asks something.
func (a *asker) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	switch a.r.IntN(5) {
	case 0:
		a.get(ctx)
	case 1:
		a.members(ctx)
	case 2:
		a.search(ctx)
	case 3:
		a.rooms(ctx)
	case 4:
		a.history(ctx)
	}
}

func (a *asker) get(ctx context.Context) {
	keys := []string{a.key(), a.key(), a.key()}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	q := a.begin("get")
	r, err := a.c.Get(ctx, keys...)
	if !q.answered(r.Stale, err) {
		return
	}
	q.together(func(s *snapshot) bool {
		return !slices.ContainsFunc(keys, func(key string) bool {
			o, found := r.Objects[key] // what is missing may be hidden: that is looked at for itself
			return found && !s.tells(a.c.User, key, o, true)
		})
	})
	for _, key := range keys {
		o, found := r.Objects[key]
		q.document(key, o, found)
		if v := q.seen.docs[key]; found && o.V < v {
			q.wrong("%s of %d, and the session has seen %d", key, o.V, v)
		}
		if seen := q.any(func(s *snapshot) bool { return s.sees(a.c.User, key) }); found && !seen {
			q.wrong("%s, which the user may not see", key)
		}
		if !found && !slices.Contains(r.Missing, key) {
			q.wrong("%s is neither there nor missing", key)
		}
	}
}

// document holds one against the state. What is not found may also be hidden.
func (q *question) document(key string, o wire.Object, found bool) {
	if !q.any(func(s *snapshot) bool { return s.tells(q.a.c.User, key, o, found) }) {
		q.wrong("%s is %d %x, found %v", key, o.V, o.Data, found)
	}
}

// tells reports whether somebody who asks for a document is told this.
func (s *snapshot) tells(user wire.UserID, key string, o wire.Object, found bool) bool {
	have, exists := s.docs[key]
	if !found {
		return !exists || !s.sees(user, key)
	}
	return exists && same(have, o)
}

// together holds all of an answer against the state of one moment: it must have been
// so at one, unless it is said to be old.
func (q *question) together(holds func(*snapshot) bool) {
	if !q.stale && !q.any(holds) {
		q.wrong("its parts are of different moments")
	}
}

func (a *asker) members(ctx context.Context) {
	room, page := a.room(), client.Page{Limit: 1 + a.r.IntN(10)}
	if a.r.IntN(2) == 0 {
		page.After = string(a.user())
	}
	q := a.begin("members")
	r, err := a.c.Members(ctx, room, page)
	if !q.answered(r.Stale, err) {
		return
	}
	if !q.any(func(s *snapshot) bool {
		ids, next := s.page(room, wire.UserID(page.After), page.Limit)
		return slices.Equal(ids, r.Members) && next == r.Next && len(s.members[room]) == r.MemberCount
	}) {
		q.wrong("%s after %q, %d: %v, next %q, of %d", room, page.After, page.Limit, r.Members, r.Next, r.MemberCount)
	}
}

func (a *asker) rooms(ctx context.Context) {
	q := a.begin("rooms")
	r, err := a.c.Rooms(ctx, client.Page{})
	if !q.answered(r.Stale, err) {
		return
	}
	var ids []wire.RoomID
	for _, room := range r.Rooms {
		ids = append(ids, room.ID)
		key := "room:" + string(room.ID)
		q.document(key, wire.Object{V: room.V, Data: room.Data}, true)
		if v := q.seen.docs[key]; room.V < v {
			q.wrong("%s of %d, and the session has seen %d", key, room.V, v)
		}
		if !q.any(func(s *snapshot) bool { return len(s.members[room.ID]) == room.MemberCount }) {
			q.wrong("%s has %d members", room.ID, room.MemberCount)
		}
	}
	if !q.any(func(s *snapshot) bool { return slices.Equal(s.rooms(a.c.User), ids) }) {
		q.wrong("%v", ids)
	}
	q.together(func(s *snapshot) bool {
		return slices.Equal(s.rooms(a.c.User), ids) && !slices.ContainsFunc(r.Rooms, func(room wire.RoomInfo) bool {
			have, exists := s.docs["room:"+string(room.ID)]
			told := wire.Object{V: room.V, Data: room.Data}
			return len(s.members[room.ID]) != room.MemberCount || exists != (room.V > 0) || exists && !same(have, told)
		})
	})
}

// history reads the end of a channel that the client is always in.
func (a *asker) history(ctx context.Context) {
	i := a.r.IntN(a.s.p.load.Rooms)
	ch := a.s.p.channel(i)
	if !a.s.p.isIn(a.c, ch) {
		return
	}
	q := a.begin("history")
	acked := a.s.p.last(ch, q.from-age)
	r, err := a.c.History(ctx, ch, client.Range{Limit: 5})
	if !q.answered(r.Stale, err) {
		return
	}
	prev := wire.Seq(0)
	for i, b := range r.Frames {
		f, err := wire.ParseFrame(b)
		if err != nil || i > 0 && f.Prev != prev {
			q.wrong("%s: a hole before %d, or an error: %v", ch, f.Seq, err)
			return
		}
		prev = f.Seq
	}
	if prev > r.Last || prev < acked && !r.Stale {
		q.wrong("%s: the page ends at %d, the channel is said to at %d, and had %d", ch, prev, r.Last, acked)
	}
}
