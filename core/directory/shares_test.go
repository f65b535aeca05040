package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selvedge/core/directory"
	"selvedge/wire"
)

// crowd applies joins of users in rooms, given as pairs, after applied.
func crowd(t testing.TB, view *directory.View, pairs [][2]string) {
	t.Helper()
	records := make([]wire.StateRecord, len(pairs))
	for i, p := range pairs {
		records[i] = wire.StateRecord{V: view.Applied() + wire.Seq(i) + 1, Kind: wire.StateMember, Room: wire.RoomID(p[0]), User: wire.UserID(p[1])}
	}
	if err := view.Apply(records); err != nil {
		t.Fatal(err)
	}
}

// dumbShares looks at everything.
func dumbShares(pairs [][2]string, user, other wire.UserID) wire.RoomID {
	members := map[string]map[wire.UserID]bool{}
	for _, p := range pairs {
		if members[p[0]] == nil {
			members[p[0]] = map[wire.UserID]bool{}
		}
		members[p[0]][wire.UserID(p[1])] = true
	}
	best, most := "", 0
	for room, in := range members {
		if user == other || !in[user] || !in[other] {
			continue
		}
		if len(in) > most || len(in) == most && room < best {
			best, most = room, len(in)
		}
	}
	return wire.RoomID(best)
}

// Ids that begin alike, and what is not there at all, are asked for, too.
func TestSharesAgainstLookingAtEverything(t *testing.T) {
	rooms := []string{"a", "a b", "aa", "a!", "ab", "b", "c", "d", "e", "f", "g", "h", "zz"}
	users := []string{"u", "u!", "uu", "v", "x", "y", "z"}
	rapid.Check(t, func(rt *rapid.T) {
		view := open(t, t.TempDir(), "e")
		pairs := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [2]string {
			return [2]string{rapid.SampledFrom(rooms).Draw(rt, "room"), rapid.SampledFrom(users).Draw(rt, "user")}
		}), 0, 60).Draw(rt, "pairs")
		crowd(t, view, pairs)
		others := []wire.UserID{"none", "u", "z", "v", "u!", "x", "uu", "y", "v"}
		read(t, view, func(r *directory.Reader) error {
			for _, user := range append(users, "none", "") {
				want := make([]wire.RoomID, len(others))
				for i, other := range others {
					want[i] = dumbShares(pairs, wire.UserID(user), other)
				}
				got, err := r.Shares(wire.UserID(user), others)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Errorf("%q with %q (-want +got):\n%s", user, others, diff)
				}
			}
			return nil
		})
	})
}

// Of many rooms that two share, one is named, whatever else they are in.
func TestSharesOfManyRooms(t *testing.T) {
	view := open(t, t.TempDir(), "e")
	var pairs [][2]string
	for i := range 6000 {
		pairs = append(pairs, [2]string{fmt.Sprintf("ours-%04d", i), "u"}, [2]string{fmt.Sprintf("ours-%04d", i), "v"})
	}
	for i := range 300 {
		pairs = append(pairs, [2]string{"u's", fmt.Sprint("u", i)}, [2]string{"v's", fmt.Sprint("v", i)})
	}
	pairs = append(pairs, [2]string{"u's", "u"}, [2]string{"v's", "v"}, [2]string{"zz", "u"}, [2]string{"zz", "w"})
	crowd(t, view, pairs)
	read(t, view, func(r *directory.Reader) error {
		got, err := r.Shares("u", []wire.UserID{"v", "w", "v0", "u0"})
		if err != nil {
			return err
		}
		if _, ok, _ := r.Membership(got[0], "v"); !ok || got[0] == "v's" || !slices.Equal(got[1:], []wire.RoomID{"zz", "", "u's"}) {
			t.Errorf("shared %q", got)
		}
		return nil
	})
}

// Who meets in none of a user's largest rooms, meets in the largest of the others.
func TestSharesTheLargestOfTheRest(t *testing.T) {
	view := open(t, t.TempDir(), "e")
	var pairs [][2]string
	add := func(room string, users ...string) {
		for _, user := range users {
			pairs = append(pairs, [2]string{room, user})
		}
	}
	for _, large := range []string{"a", "b", "m", "y", "z"} {
		add(large, "u", "1", "2", "3", "4", "5", "6")
	}
	add("c", "u", "v")
	add("n", "u", "v", "1", "2")
	add("x", "u", "v", "1")
	crowd(t, view, pairs)
	read(t, view, func(r *directory.Reader) error {
		got, err := r.Shares("u", []wire.UserID{"v"})
		if err == nil && got[0] != "n" {
			t.Errorf("shared %q, want the largest", got)
		}
		return err
	})
}

func BenchmarkShares(b *testing.B) {
	view := open(b, b.TempDir(), "e")
	var pairs [][2]string
	for _, user := range []string{"far", "wide"} {
		for i := range 10_000 {
			pairs = append(pairs, [2]string{fmt.Sprintf("%s-%05d", user[:1], i), user})
		}
	}
	for i := range 10_000 {
		pairs = append(pairs, [2]string{fmt.Sprintf("s-%05d", i), "same 1"}, [2]string{fmt.Sprintf("s-%05d", i), "same 2"})
	}
	page := make([]wire.UserID, wire.MaxPage)
	strangers := make([]wire.UserID, wire.MaxPage)
	for i := range page {
		page[i], strangers[i] = wire.UserID(fmt.Sprintf("m-%05d", i)), wire.UserID(fmt.Sprintf("t-%05d", i))
		pairs = append(pairs, [2]string{"hall", string(page[i])})
		for range 20 {
			pairs = append(pairs, [2]string{fmt.Sprintf("t-%05d", rand.IntN(10_000)), string(strangers[i])})
		}
	}
	pairs = append(pairs, [2]string{"hall", "far"})
	crowd(b, view, pairs)
	for _, c := range []struct {
		name  string
		user  wire.UserID
		users []wire.UserID
	}{
		{"10,000 rooms, 1,000 users of its largest", "far", page},
		{"10,000 rooms, 1,000 strangers", "far", strangers},
		{"10,000 rooms, 1 stranger in 10,000 others", "far", []wire.UserID{"wide"}},
		{"10,000 rooms, 1 user of the same", "same 1", []wire.UserID{"same 2"}},
		{"1 room, 1 user of 10,000 others", page[0], []wire.UserID{"wide"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := view.Read(func(r *directory.Reader) error {
					_, err := r.Shares(c.user, c.users)
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
