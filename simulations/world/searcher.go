package world

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"selvedge/wire"
)

func (a *asker) search(ctx context.Context) {
	prefix := []string{"", "an", "ANA", "bo", "ber", "u", "x1"}[a.r.IntN(7)]
	room := a.room()
	if a.r.IntN(2) == 0 {
		room = ""
	}
	q := a.begin("search")
	r, err := a.c.Search(ctx, room, prefix, 100)
	if !q.answered(r.Stale, err) {
		return
	}
	var found []wire.UserID
	for _, u := range r.Users {
		found = append(found, u.ID)
		if u.V > 0 {
			q.document("user:"+string(u.ID), wire.Object{V: u.V, Data: u.Data}, true)
		}
	}
	q.found(room, prefix, found)
	q.together(func(s *snapshot) bool {
		return slices.Equal(s.search(a.c.User, room, prefix), found) && !slices.ContainsFunc(r.Users, func(u wire.UserInfo) bool {
			have, exists := s.docs["user:"+string(u.ID)]
			return exists != (u.V > 0) || exists && !same(have, wire.Object{V: u.V, Data: u.Data})
		})
	})
}

// found holds what a search brought against the state. It may have looked at one
// room after the other: who was there all the time must have been found, and who
// was at none must not. If nothing changed, it is known exactly.
func (q *question) found(room wire.RoomID, prefix string, found []wire.UserID) {
	user, truth := q.a.c.User, q.truth
	now := truth.at(q.when.to)
	exactly, want := true, now.search(user, room, prefix)
	for v := q.when.from; v < q.when.to; v++ {
		exactly = exactly && slices.Equal(truth.at(v).search(user, room, prefix), want)
	}
	if exactly && !slices.Equal(found, want) {
		q.wrong("%q in %q: %v, which is %v", prefix, room, found, want)
		return
	}
	for _, u := range found {
		if !q.any(func(s *snapshot) bool { return slices.Contains(s.search(user, room, prefix), u) }) {
			q.wrong("%q in %q: %s, who does not fit", prefix, room, u)
		}
	}
	for id := range now.members {
		for _, u := range want {
			always := !q.any(func(s *snapshot) bool {
				return !s.members[id][user] || !slices.Contains(s.search(user, id, prefix), u)
			})
			if always && (room == "" || room == id) && !slices.Contains(found, u) {
				q.wrong("%q in %q: not %s, who fits", prefix, room, u)
			}
		}
	}
}

// search is a dumb one: see roster.Search.
func (s *snapshot) search(user wire.UserID, room wire.RoomID, prefix string) (ids []wire.UserID) {
	type hit struct {
		class int
		name  string
		id    wire.UserID
	}
	var hits []hit
	prefix = strings.ToLower(prefix)
	for id, members := range s.members {
		if id != room && (room != "" || !members[user]) {
			continue
		}
		for u := range members {
			if slices.ContainsFunc(hits, func(h hit) bool { return h.id == u }) {
				continue
			}
			name := s.name(u)
			if class := classOf(name, string(u), prefix); class > 0 {
				hits = append(hits, hit{class, name, u})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return strings.Compare(fmt.Sprint(a.class, " ", a.name, "\x00", a.id), fmt.Sprint(b.class, " ", b.name, "\x00", b.id))
	})
	for _, h := range hits {
		ids = append(ids, h.id)
	}
	return ids
}

// name is what a user is called in a search.
func (s *snapshot) name(u wire.UserID) string {
	var doc struct {
		Name string `json:"name"`
	}
	if o, ok := s.docs["user:"+string(u)]; ok && wire.Msgpack.Decode(o.Data, &doc) == nil && doc.Name != "" {
		return strings.ToLower(doc.Name)
	}
	return string(u)
}

// classOf is how well somebody fits, 0 = not: best is 1.
func classOf(name, id, prefix string) int {
	switch {
	case prefix == "":
		return 1
	case name == prefix || id == prefix:
		return 1
	case strings.HasPrefix(name, prefix):
		return 2
	case strings.Contains(name, " "+prefix):
		return 3
	case strings.HasPrefix(id, prefix):
		return 4
	}
	return 0
}
