package directory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

func users(from, upto int) []wire.UserID {
	out := make([]wire.UserID, 0, upto-from)
	for i := from; i < upto; i++ {
		out = append(out, wire.UserID(fmt.Sprintf("u%06d", i)))
	}
	return out
}

func putRoom(t testing.TB, r *rig, room wire.RoomID) {
	t.Helper()
	if _, err := r.PutRoom(timeout(t), room, data(t, `{}`), nil); err != nil {
		t.Fatal(err)
	}
}

func TestJoiningTwiceKeepsTheFirstFrom(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	p := wire.LogOf("room:x", logs)
	setEnd := func(seq wire.Seq) { r.log.mu.Lock(); r.log.ends[p] = seq; r.log.mu.Unlock() }
	from := func() wire.Seq {
		var m wire.Membership
		read(t, r.view, func(rd *directory.Reader) (err error) {
			m, _, err = rd.Membership("x", "u")
			return err
		})
		return m.From
	}
	for _, step := range []struct {
		end         wire.Seq
		change      directory.MembersChange
		added, left int
		from        wire.Seq
	}{
		{10, directory.MembersChange{Add: []wire.UserID{"u", "u"}}, 1, 0, 10},
		{20, directory.MembersChange{Add: []wire.UserID{"u"}}, 0, 0, 10},
		{30, directory.MembersChange{Remove: []wire.UserID{"u", "nobody"}}, 0, 1, 0},
		{40, directory.MembersChange{Add: []wire.UserID{"u"}}, 1, 0, 40},
	} {
		setEnd(step.end)
		got, err := r.Members(ctx, "x", step.change)
		if err != nil || got.Added != step.added || got.Removed != step.left || from() != step.from {
			t.Errorf("at %d: %+v, %v, from %d", step.end, got, err, from())
		}
	}
}

func TestReplaceTheSet(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	if _, err := r.Members(ctx, "x", directory.MembersChange{Add: users(0, 5000)}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Members(ctx, "x", directory.MembersChange{Add: users(4990, 5010), Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := (directory.Changed{Added: 10, Removed: 4990, MemberCount: 20}); cmp.Diff(want, got) != "" {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(users(4990, 5010), members(t, r.view, "x")); diff != "" {
		t.Error(diff)
	}
}

func TestARoomMustExist(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	if _, err := r.Members(ctx, "nowhere", directory.MembersChange{Add: users(0, 1)}); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	got, err := r.UserRooms(ctx, "u", directory.RoomsChange{Add: []wire.RoomID{"nowhere", "x"}})
	if err != nil || got.Added != 1 || len(got.Failed) != 1 || got.Failed[0].ID != "nowhere" || !errors.Is(got.Failed[0].Err, directory.ErrNotFound) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDeletingARoomMakesEveryoneLeaveFirst(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	if _, err := r.Members(ctx, "x", directory.MembersChange{Add: users(0, 3000)}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // idempotent
		if err := r.DeleteRoom(ctx, "x"); err != nil {
			t.Fatal(err)
		}
	}
	records := r.log.after(0)
	if n := len(records); n != 1+3000+3000+1 || !records[n-1].Deleted || records[n-1].Kind != wire.StateRoom {
		t.Fatalf("%d records, the last is %+v", n, records[n-1])
	}
	putRoom(t, r, "x")
	if got := members(t, r.view, "x"); len(got) != 0 {
		t.Errorf("a new room has %d members", len(got))
	}
}

func TestDeletingAUserMakesItLeave(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	putRoom(t, r, "y")
	if _, err := r.PutUser(ctx, "u", data(t, `{}`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UserRooms(ctx, "u", directory.RoomsChange{Add: []wire.RoomID{"x", "y"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.DeleteUser(ctx, "u"); err != nil {
			t.Fatal(err)
		}
	}
	if len(members(t, r.view, "x"))+len(members(t, r.view, "y")) != 0 {
		t.Error("a deleted user is still a member")
	}
}

// A join that passed the deletion of its room must not leave a member behind,
// whichever record comes first.
func TestAJoinThatRacesADeletionLeavesNoMember(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	for i := range 30 {
		room := wire.RoomID(fmt.Sprintf("x%d", i))
		putRoom(t, r, room)
		var race sync.WaitGroup
		race.Go(func() {
			_, err := r.Members(ctx, room, directory.MembersChange{Add: users(0, 50)})
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				t.Error(err)
			}
		})
		race.Go(func() {
			if err := r.DeleteRoom(ctx, room); err != nil {
				t.Error(err)
			}
		})
		race.Wait()
		if n := len(members(t, r.view, room)); n != 0 {
			t.Fatalf("a deleted room has %d members", n)
		}
	}
}

// The same, with the join's record forced behind the tombstone.
func TestAJoinBehindTheTombstoneIsTakenBack(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	var once sync.Once
	r.log.fail = func(rec *wire.StateRecord) error {
		if rec.Kind == wire.StateMember {
			once.Do(func() {
				r.log.records = append(r.log.records, wire.StateRecord{Kind: wire.StateRoom, Room: "x", Deleted: true, V: wire.Seq(len(r.log.records) + 1)})
				r.log.last["room:x"] = wire.Seq(len(r.log.records))
			})
		}
		return nil
	}
	if _, err := r.Members(ctx, "x", directory.MembersChange{Add: users(0, 3)}); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if n := len(members(t, r.view, "x")); n != 0 {
		t.Errorf("%d members of a deleted room", n)
	}
}

// A join whose record comes right before the tombstone is seen by the deletion.
func TestAJoinBeforeTheTombstoneLeaves(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	r.log.fail = func(rec *wire.StateRecord) error {
		if rec.Kind == wire.StateRoom {
			join := wire.StateRecord{Kind: wire.StateMember, Room: "x", User: "late", V: wire.Seq(len(r.log.records) + 1)}
			r.log.records = append(r.log.records, join)
			r.log.last[join.Key()] = join.V
		}
		return nil
	}
	if err := r.DeleteRoom(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if got := members(t, r.view, "x"); len(got) != 0 {
		t.Errorf("a deleted room has the members %q", got)
	}
}

func TestWhatTheLogDidNotTakeIsNamed(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	r.log.fail = func(rec *wire.StateRecord) error {
		if rec.User >= "u002100" {
			return corelog.ErrUnavailable
		}
		return nil
	}
	got, err := r.Members(ctx, "x", directory.MembersChange{Add: users(0, 5000)})
	if err != nil || got.Added != 2100 || got.MemberCount != 2100 || len(got.Failed) != 2900 || !errors.Is(got.Failed[2899].Err, corelog.ErrUnavailable) {
		t.Errorf("added %d, failed %d, %v", got.Added, len(got.Failed), err)
	}
}

func TestPagesInIDOrder(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	ids := []wire.UserID{" ", "a", "a b", "a/", "aa", "b", "u", "zä", "\u00ff", "日本", "\U0010ffff"}
	rooms := make([]wire.RoomID, len(ids))
	for i, id := range ids {
		rooms[i] = wire.RoomID(id)
		putRoom(t, r, rooms[i])
		if _, err := r.PutUser(ctx, id, data(t, `{}`), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Members(ctx, "a", directory.MembersChange{Add: ids}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UserRooms(ctx, "a", directory.RoomsChange{Add: rooms}); err != nil {
		t.Fatal(err)
	}
	read(t, r.view, func(rd *directory.Reader) error {
		for limit := 1; limit <= len(ids)+1; limit++ {
			var a, b []wire.UserID
			var c, d []wire.RoomID
			collect(t, func(after string) (string, error) {
				page, next, err := rd.Members("a", wire.UserID(after), limit)
				a = append(a, page...)
				return next, err
			})
			collect(t, func(after string) (string, error) {
				page, next, err := rd.Users(wire.UserID(after), limit)
				for _, u := range page {
					b = append(b, u.ID)
				}
				return next, err
			})
			collect(t, func(after string) (string, error) {
				page, next, err := rd.RoomsOf("a", wire.RoomID(after), limit)
				for _, m := range page {
					c = append(c, m.Room)
				}
				return next, err
			})
			collect(t, func(after string) (string, error) {
				page, next, err := rd.Rooms(wire.RoomID(after), limit)
				for _, m := range page {
					d = append(d, m.ID)
				}
				return next, err
			})
			for i, diff := range []string{cmp.Diff(ids, a), cmp.Diff(ids, b), cmp.Diff(rooms, c), cmp.Diff(rooms, d)} {
				if diff != "" {
					t.Errorf("limit %d, listing %d:\n%s", limit, i, diff)
				}
			}
		}
		return nil
	})
}

func collect(t testing.TB, page func(after string) (string, error)) {
	t.Helper()
	for after, first := "", true; first || after != ""; first = false {
		next, err := page(after)
		if err != nil {
			t.Fatal(err)
		}
		after = next
	}
}

func BenchmarkJoin(b *testing.B) {
	r := newRig(b)
	putRoom(b, r, "x")
	all := users(0, 100_000)
	for b.Loop() {
		got, err := r.Members(b.Context(), "x", directory.MembersChange{Add: all})
		if err != nil || len(got.Failed) > 0 {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := r.Members(b.Context(), "x", directory.MembersChange{Replace: true}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// Leaves move it as joins do: a client that was away learns by it that it has to
// read its rooms again.
func TestRoomsVIsTheLastJoinOrLeave(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	putRoom(t, r, "x")
	v := func() (v, applied wire.Seq) {
		read(t, r.view, func(rd *directory.Reader) (err error) {
			applied = rd.Applied()
			return rd.Walk(func(w *directory.Walker) error {
				v, err = w.RoomsV("u")
				return err
			})
		})
		return v, applied
	}
	if got, _ := v(); got != 0 {
		t.Errorf("a user that was nowhere has %d", got)
	}
	for _, change := range []directory.MembersChange{{Add: []wire.UserID{"u"}}, {Remove: []wire.UserID{"u"}}} {
		if _, err := r.Members(ctx, "x", change); err != nil {
			t.Fatal(err)
		}
		if got, applied := v(); got != applied {
			t.Errorf("after %+v: %d, want %d", change, got, applied)
		}
		putRoom(t, r, "y") // moves the log, not the user
		if got, applied := v(); got == applied {
			t.Errorf("a room's document moves it to %d", got)
		}
	}
}
