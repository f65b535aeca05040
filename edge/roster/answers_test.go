package roster

import (
	"context"
	"slices"
	"strings"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

func (c *core) Want(_ wire.LogID, wants ...upstream.Want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range wants {
		c.held[w.Key]++
		c.deltas = append(c.deltas, delta{want: w})
	}
}

func (c *core) Drop(_ wire.LogID, keys ...wire.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		switch c.held[k]--; {
		case c.held[k] < 0:
			panic("an interest was given back that nobody had")
		case c.held[k] == 0:
			delete(c.held, k)
			c.deltas = append(c.deltas, delta{key: k})
		}
	}
}

// interests are how many are held.
func (c *core) interests() (n int) {
	c.do(func() { n = len(c.held) })
	return n
}

// questions are those of a kind that were asked.
func (c *core) questions(kind wire.QueryKind) (out []*wire.Query) {
	c.do(func() {
		for _, q := range c.asked {
			if q.T == kind {
				out = append(out, q)
			}
		}
	})
	return out
}

func (c *core) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	c.sleep(ctx)
	c.mu.Lock()
	c.asked = append(c.asked, q)
	err, a := c.fail, c.answerLocked(q)
	var hold chan struct{}
	if c.hold != nil {
		hold = c.hold(q)
	}
	c.mu.Unlock()
	c.sleep(ctx)
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil, upstream.ErrUnavailable
	}
	return a, err
}

func (c *core) answerLocked(q *wire.Query) *wire.Answer {
	// The view is behind the log, but not behind what the asker has seen.
	v := max(q.V, wire.Seq(len(c.log)))
	if least := max(q.V, c.fed-min(c.fed, 4)); c.slow > 0 {
		v = least + wire.Seq(c.rng.IntN(len(c.log)-int(least)+1))
	}
	a := &wire.Answer{V: v}
	members := membersAt(c.rooms[q.Room], a.V)
	switch q.T {
	case wire.QMembers, wire.QRoster:
		if c.rooms[q.Room] == nil {
			return &wire.Answer{Err: &wire.Error{Code: wire.NotFound, Message: "no such room"}}
		}
		a.MemberCount = len(members)
		limit := q.Limit
		if q.T == wire.QRoster && c.pages > 0 {
			limit = min(limit, c.pages)
		}
		a.Members, a.Next = pageOf(members, wire.UserID(q.AfterID), limit)
		if q.T == wire.QRoster {
			for _, id := range a.Members {
				a.Names = append(a.Names, wire.Name{Name: nameAt(c.names[id], a.V)})
			}
		}
	case wire.QGet:
		a.Objects = map[string]wire.Object{}
		for i, key := range q.Keys {
			if i > 0 && c.rng.IntN(50) == 0 {
				a.Next = key
				break
			}
			if name := nameAt(c.names[wire.UserID(strings.TrimPrefix(key, "user:"))], v); name != "" {
				a.Objects[key] = wire.Object{V: v, Data: document(name)}
			} else {
				a.Missing = append(a.Missing, key)
			}
		}
	case wire.QShares:
		for _, id := range q.Users {
			a.Shared = append(a.Shared, c.sharedLocked(q.User, id, v))
		}
	case wire.QHello, wire.QFill, wire.QHistory, wire.QRooms, wire.QRoom, wire.QPublish, wire.QHot:
		panic("nobody asks " + q.T + " here")
	}
	return a
}

func (c *core) sharedLocked(a, b wire.UserID, v wire.Seq) (best wire.RoomID) {
	n := 0
	for id, list := range c.rooms {
		members := membersAt(list, v)
		if len(members) >= max(n, 1) && (len(members) > n || id < best) && slices.Contains(members, a) && slices.Contains(members, b) {
			best, n = id, len(members)
		}
	}
	return best
}

// member makes a user a member of a room, or no more one.
func (c *core) member(room wire.RoomID, user wire.UserID, in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.rooms[room]
	members := slices.Clone(membersAt(list, wire.Seq(len(c.log))))
	at, found := slices.BinarySearch(members, user)
	switch {
	case in == found:
		return
	case in:
		members = slices.Insert(members, at, user)
	default:
		members = slices.Delete(members, at, at+1)
	}
	v := c.appendLocked(&wire.StateRecord{Kind: wire.StateMember, Room: room, User: user, Deleted: !in})
	c.rooms[room] = append(list, roomVersion{v, members})
}

// name gives a user a document; "" deletes it.
func (c *core) name(user wire.UserID, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rec := &wire.StateRecord{Kind: wire.StateUser, User: user, Deleted: name == "", Data: document(name)}
	if rec.Deleted {
		rec.Data = nil
	}
	c.names[user] = append(c.names[user], nameVersion{c.appendLocked(rec), name})
}

func (c *core) appendLocked(rec *wire.StateRecord) wire.Seq {
	rec.V = wire.Seq(len(c.log) + 1)
	c.log = append(c.log, rec)
	return rec.V
}

// end is the log's.
func (c *core) end() (v wire.Seq) {
	c.do(func() { v = wire.Seq(len(c.log)) })
	return v
}

func document(name string) wire.Data {
	d, err := wire.Msgpack.Append(nil, map[string]string{"name": name, "title": "x"})
	if err != nil {
		panic(err)
	}
	return d
}

func membersAt(list []roomVersion, v wire.Seq) []wire.UserID {
	for _, r := range slices.Backward(list) {
		if r.v <= v {
			return r.members
		}
	}
	return nil
}

func nameAt(list []nameVersion, v wire.Seq) string {
	for _, n := range slices.Backward(list) {
		if n.v <= v {
			return n.name
		}
	}
	return ""
}

func pageOf(members []wire.UserID, after wire.UserID, limit int) (page []wire.UserID, next string) {
	at, found := slices.BinarySearch(members, after)
	if found {
		at++
	}
	page = members[at:]
	if len(page) > limit {
		page = page[:limit]
		next = string(page[limit-1])
	}
	return page, next
}
