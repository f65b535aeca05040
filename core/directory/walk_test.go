package directory_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	"selvedge/wire"
)

// seen is what a reader says of one id, as a user's and as a room's.
type seen struct {
	User, Room  string
	Members     int
	Memberships []wire.Membership
}

func told(doc directory.Doc, ok bool) string {
	return fmt.Sprintf("%v %d %d %s", ok, doc.V, doc.Version, doc.Data)
}

func read1(t *testing.T, r *directory.Reader, id string) (s seen) {
	t.Helper()
	user, ok, err := r.User(wire.UserID(id))
	s.User = told(user, ok)
	room, ok, err2 := r.Room(wire.RoomID(id))
	s.Room, s.Members = told(room.Doc, ok), room.MemberCount
	var err3 error
	s.Memberships, _, err3 = r.RoomsOf(wire.UserID(id), "", wire.MaxPage)
	for _, err := range []error{err, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// walk1 asks in an order that jumps back and forth.
func walk1(t *testing.T, w *directory.Walker, id string) (s seen) {
	t.Helper()
	s.Memberships = []wire.Membership{}
	var errs [5]error
	var doc directory.Doc
	var ok bool
	for _, i := range rand.Perm(5) {
		switch i {
		case 0:
			doc, ok, errs[i] = w.User(wire.UserID(id))
			s.User = told(doc, ok)
		case 1:
			doc, ok, errs[i] = w.Room(wire.RoomID(id))
			s.Room = told(doc, ok)
		case 2:
			s.Members, errs[i] = w.MemberCount(wire.RoomID(id))
		case 3:
			_, errs[i] = w.RoomsV(wire.UserID(id)) // only to be somewhere else
		case 4:
			errs[i] = w.RoomsOf(wire.UserID(id), func(room []byte, m wire.Membership) {
				m.Room = wire.RoomID(room)
				s.Memberships = append(s.Memberships, m)
			})
		}
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A Walker says what the Reader's own methods say, also of ids that begin alike,
// are the last of their kind, or are not there.
func TestWalkerSeesWhatTheReaderSees(t *testing.T) {
	r := newRig(t)
	ctx := timeout(t)
	ids := []string{"a", "a b", "aa", "a!", "ab", "b", "ü", "zz", "z"}
	for i, id := range ids {
		d := data(t, fmt.Sprintf(`{"n":%d}`, i))
		if _, err := r.PutRoom(ctx, wire.RoomID(id), d, nil); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			continue // a user without a document
		}
		if _, err := r.PutUser(ctx, wire.UserID(id), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range ids {
		var change directory.RoomsChange
		for j, room := range ids {
			if (i+j)%3 != 0 && id != "b" {
				change.Add = append(change.Add, wire.RoomID(room))
			}
		}
		if _, err := r.UserRooms(ctx, wire.UserID(id), change); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.UserRooms(ctx, "aa", directory.RoomsChange{Remove: []wire.RoomID{"a", "zz"}}); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteUser(ctx, "a!"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteRoom(ctx, "zz"); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, "", "none", "zzz", "A", "\u0080")
	read(t, r.view, func(r *directory.Reader) error {
		return r.Walk(func(w *directory.Walker) error {
			for range 20 {
				for _, i := range rand.Perm(len(ids)) {
					if diff := cmp.Diff(read1(t, r, ids[i]), walk1(t, w, ids[i])); diff != "" {
						t.Errorf("%q (-reader +walker):\n%s", ids[i], diff)
					}
				}
			}
			return nil
		})
	})
}
