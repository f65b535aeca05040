package directory

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selvedge/wire"
)

func openView(t *testing.T) *View {
	t.Helper()
	v, err := Open(Config{Dir: t.TempDir(), Epoch: "e"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// comings are joins and leaves of many in few rooms, in rows of one room: some
// in order of the users' ids, some in none, some of them again.
func comings(rng *rand.Rand, n int) []wire.StateRecord {
	records := make([]wire.StateRecord, 0, n)
	for len(records) < n {
		room, leave, step := wire.RoomID(fmt.Sprint("r", rng.IntN(3))), rng.IntN(3) == 0, rng.IntN(4)
		user := rng.IntN(50)
		for range rng.IntN(40) {
			if user += step; step == 0 {
				user = rng.IntN(200)
			}
			records = append(records, wire.StateRecord{
				V: wire.Seq(len(records) + 1), Kind: wire.StateMember, Room: room, User: wire.UserID(fmt.Sprintf("u%03d", user)),
				Deleted: leave, From: wire.Seq(rng.IntN(9)),
			})
		}
	}
	return records
}

// stored is what a view's store has, but for how far it got.
func stored(t *testing.T, v *View) map[string]string {
	t.Helper()
	it, err := v.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			t.Fatal(err)
		}
		all[printable(it.Key())] = string(value)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		t.Fatal(err)
	}
	return all
}

// Records that come one by one are looked up one by one; those that come together
// are looked up with iterators. The store and the counts are the same.
func TestPortionsOfOneRoomAreAppliedLikeSingleRecords(t *testing.T) {
	for seed := range uint64(5) {
		records := comings(rand.New(rand.NewPCG(seed, 1)), 2000)
		together := slices.Clone(records)
		slow, fast := openView(t), openView(t)
		for i := range records {
			if err := slow.Apply(records[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		for at := 0; at < len(together); at += 700 {
			if err := fast.Apply(together[at:min(at+700, len(together))]); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(records, together); diff != "" {
			t.Errorf("seed %d, the records' counts (-single +portions):\n%s", seed, diff)
		}
		if diff := cmp.Diff(stored(t, slow), stored(t, fast)); diff != "" {
			t.Errorf("seed %d, the store (-single +portions):\n%s", seed, diff)
		}
	}
}

// Whatever is asked for, in whatever order, it is what two maps say.
func TestMembershipsAreTheLastRecords(t *testing.T) {
	v := openView(t)
	live, dead := map[member]wire.Seq{}, map[member]wire.Seq{}
	records := comings(rand.New(rand.NewPCG(7, 7)), 3000)
	for _, r := range records {
		m := member{r.Room, r.User}
		delete(live, m)
		delete(dead, m)
		if r.Deleted {
			dead[m] = r.V
		} else {
			live[m] = r.V
		}
	}
	if err := v.Apply(records); err != nil {
		t.Fatal(err)
	}
	if len(live) < 50 || len(dead) < 50 {
		t.Fatalf("%d joined, %d left", len(live), len(dead))
	}
	rapid.Check(t, func(t *rapid.T) {
		err := v.Read(func(r *Reader) error {
			for range 5 {
				room := wire.RoomID(rapid.SampledFrom([]string{"r0", "r1", "r2", "none"}).Draw(t, "room"))
				users := rapid.SliceOfN(rapid.IntRange(0, 220), 1, 60).Draw(t, "users")
				if rapid.Bool().Draw(t, "sorted") {
					slices.Sort(users)
				}
				for _, u := range users {
					m := member{room, wire.UserID(fmt.Sprintf("u%03d", u))}
					want, alive := live[m]
					if !alive {
						want = dead[m]
					}
					got, is, err := r.lastMembership(m)
					if err != nil {
						return err
					}
					if got != want || is != alive {
						t.Fatalf("%v: %d, %v, want %d, %v", m, got, is, want, alive)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Each pair comes once, in the order in which the store has them.
func TestPairsAreInTheStoresOrder(t *testing.T) {
	rooms, users := []wire.RoomID{"b", "a b", "a", "b"}, []wire.UserID{"z", "ü", "y", "z", "\u0301"}
	given := slices.Clone(users)
	got := pairs(rooms, users)
	keys := map[string]bool{}
	last := ""
	for _, m := range got {
		key := string(twoKey(liveMember, string(m.room), string(m.user)))
		if key <= last {
			t.Errorf("%q after %q", key, last)
		}
		last, keys[key] = key, true
	}
	if len(keys) != 3*4 {
		t.Errorf("%d pairs: %q", len(keys), slices.Sorted(maps.Keys(keys)))
	}
	if !slices.Equal(users, given) {
		t.Error("the caller's ids are in another order now")
	}
}
