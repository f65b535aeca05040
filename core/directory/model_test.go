package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selvedge/core/directory"
	"selvedge/wire"
)

// model is the directory as three dumb maps.
type model struct {
	users, rooms map[string]string
	members      map[string]map[string]bool // by room
}

func (m *model) in(room string) []wire.UserID {
	out := []wire.UserID{}
	for _, u := range slices.Sorted(maps.Keys(m.members[room])) {
		out = append(out, wire.UserID(u))
	}
	return out
}

func (m *model) join(room, user string) bool {
	if m.members[room][user] {
		return false
	}
	if m.members[room] == nil {
		m.members[room] = make(map[string]bool)
	}
	m.members[room][user] = true
	return true
}

func (m *model) leave(room, user string) bool {
	was := m.members[room][user]
	delete(m.members[room], user)
	return was
}

func TestAgainstADumbModel(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "a b", "c", "d"})
	rapid.Check(t, func(rt *rapid.T) {
		r, ctx := newRig(t), timeout(t)
		m := &model{users: map[string]string{}, rooms: map[string]string{}, members: map[string]map[string]bool{}}
		some := func(label string) []string { return rapid.SliceOfNDistinct(names, 0, 4, rapid.ID).Draw(rt, label) }
		check := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put user": func(rt *rapid.T) {
				id, text := names.Draw(rt, "id"), fmt.Sprintf(`{"n":%d}`, rapid.IntRange(0, 9).Draw(rt, "n"))
				got, err := r.PutUser(ctx, wire.UserID(id), data(t, text), nil)
				check(err)
				if _, had := m.users[id]; had == got.Created {
					rt.Errorf("created: %t", got.Created)
				}
				m.users[id] = text
			},
			"put room": func(rt *rapid.T) {
				id, text := names.Draw(rt, "id"), fmt.Sprintf(`{"n":%d}`, rapid.IntRange(0, 9).Draw(rt, "n"))
				_, err := r.PutRoom(ctx, wire.RoomID(id), data(t, text), nil)
				check(err)
				m.rooms[id] = text
			},
			"delete user": func(rt *rapid.T) {
				id := names.Draw(rt, "id")
				check(r.DeleteUser(ctx, wire.UserID(id)))
				delete(m.users, id)
				for room := range m.members {
					m.leave(room, id)
				}
			},
			"delete room": func(rt *rapid.T) {
				id := names.Draw(rt, "id")
				check(r.DeleteRoom(ctx, wire.RoomID(id)))
				delete(m.rooms, id)
				delete(m.members, id)
			},
			"members": func(rt *rapid.T) {
				room := names.Draw(rt, "room")
				add, remove, replace := some("add"), some("remove"), rapid.Bool().Draw(rt, "replace")
				change := directory.MembersChange{Replace: replace}
				for _, u := range add {
					change.Add = append(change.Add, wire.UserID(u))
				}
				if !replace {
					remove = slices.DeleteFunc(remove, func(u string) bool { return slices.Contains(add, u) })
					for _, u := range remove {
						change.Remove = append(change.Remove, wire.UserID(u))
					}
				}
				got, err := r.Members(ctx, wire.RoomID(room), change)
				if _, ok := m.rooms[room]; !ok {
					if err == nil {
						rt.Error("members of a room that doesn't exist")
					}
					return
				}
				check(err)
				var want directory.Changed
				if replace {
					for _, u := range m.in(room) {
						if !slices.Contains(add, string(u)) && m.leave(room, string(u)) {
							want.Removed++
						}
					}
				}
				for _, u := range change.Remove {
					if m.leave(room, string(u)) {
						want.Removed++
					}
				}
				for _, u := range add {
					if m.join(room, u) {
						want.Added++
					}
				}
				want.MemberCount = len(m.members[room])
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Error(diff)
				}
			},
			"user's rooms": func(rt *rapid.T) {
				user := names.Draw(rt, "user")
				var change directory.RoomsChange
				for _, room := range some("add") {
					change.Add = append(change.Add, wire.RoomID(room))
				}
				_, err := r.UserRooms(ctx, wire.UserID(user), change)
				check(err)
				for _, room := range change.Add {
					if _, ok := m.rooms[string(room)]; ok {
						m.join(string(room), user)
					}
				}
			},
			"": func(rt *rapid.T) { compare(rt, r.view, m) },
		})
		// A view that is built afresh from what the log keeps says the same.
		rebuilt := open(t, t.TempDir(), "e")
		check(rebuilt.Apply(r.log.compacted()))
		compare(rt, rebuilt, m)
	})
}

func compare(rt *rapid.T, view *directory.View, m *model) {
	err := view.Read(func(r *directory.Reader) error {
		got := &model{users: map[string]string{}, rooms: map[string]string{}}
		users, _, err := r.Users("", 100)
		if err != nil {
			return err
		}
		for _, u := range users {
			got.users[string(u.ID)] = u.Data.String()
		}
		rooms, _, err := r.Rooms("", 100)
		if err != nil {
			return err
		}
		for _, room := range rooms {
			got.rooms[string(room.ID)] = room.Data.String()
			in, _, err := r.Members(room.ID, "", 100)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(m.in(string(room.ID)), in); diff != "" || room.MemberCount != len(in) {
				rt.Errorf("members of %q, %d counted:\n%s", room.ID, room.MemberCount, diff)
			}
			for _, u := range in {
				if _, ok, err := r.Membership(room.ID, u); err != nil || !ok {
					rt.Errorf("%q is a member of %q in the list only: %v", u, room.ID, err)
				}
			}
		}
		if diff := cmp.Diff(m.users, got.users) + cmp.Diff(m.rooms, got.rooms); diff != "" {
			rt.Error(diff)
		}
		for _, user := range []string{"a", "b", "a b", "c", "d"} {
			joined, _, err := r.RoomsOf(wire.UserID(user), "", 100)
			if err != nil {
				return err
			}
			n := 0
			for room := range m.members {
				if m.members[room][user] {
					n++
				}
			}
			for _, j := range joined {
				if !m.members[string(j.Room)][user] {
					rt.Errorf("%q is in %q", user, j.Room)
				}
			}
			if n != len(joined) {
				rt.Errorf("%q is in %d rooms, listed %d", user, n, len(joined))
			}
		}
		return nil
	})
	if err != nil {
		rt.Error(err)
	}
}
