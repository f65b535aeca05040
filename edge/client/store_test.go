package client

import (
	"fmt"
	"testing"

	"selvedge/wire"
)

func doc(v wire.Seq, name string) wire.Object { return wire.Object{V: v, Data: text(name)} }

func (s *store) expect(t *testing.T, key string, v wire.Seq, name string) {
	t.Helper()
	o, known := s.get(key)
	switch {
	case v == 0 && known:
		t.Errorf("%s is known: %d %s", key, o.V, o.Data)
	case v > 0 && (!known || o.V != v || o.Data.String() != doc(v, name).Data.String()):
		t.Errorf("%s: known %v, %d %s; want %d %s", key, known, o.V, o.Data, v, name)
	}
}

func TestTheHigherVersionWins(t *testing.T) {
	for _, size := range []int{0, -1} {
		s := newStore(size)
		if size < 0 {
			s.watch([]string{"user:1"}) // else nothing is kept
		}
		for _, put := range []struct {
			o    wire.Object
			news bool
		}{{doc(5, "e"), true}, {doc(3, "c"), false}, {doc(5, "x"), false}, {doc(7, "g"), true}, {wire.Object{}, false}} {
			if got := s.put("user:1", put.o); got != put.news {
				t.Errorf("put of %d: %v", put.o.V, got)
			}
		}
		s.expect(t, "user:1", 7, "g")
		if !s.put("user:1", wire.Object{V: 8, Data: wire.Data{0xc0}}) {
			t.Error("that it is gone is no news")
		}
		if s.put("user:1", doc(7, "g")) {
			t.Error("an older word revived it")
		}
		if _, isNew := s.lose("user:1"); isNew {
			t.Error("it is gone twice")
		}
		if !s.put("user:1", doc(9, "i")) {
			t.Error("it is not there again")
		}
		if o, isNew := s.lose("user:1"); !isNew || o.V != 9 || o.Data.IsSet() {
			t.Errorf("lost %+v, %v", o, isNew)
		}
		if o, _ := s.get("user:1"); o.Data.IsSet() {
			t.Errorf("lost, and there: %+v", o)
		}
		if s.put("user:1", doc(8, "h")) || !s.put("user:1", doc(9, "i")) {
			t.Error("what can be seen again is not there, or something older")
		}
	}
}

func TestWatchedObjectsDontMakeRoom(t *testing.T) {
	s := newStore(3)
	s.put("user:0", doc(1, "0"))
	s.watch([]string{"user:0", "user:1"})
	for i := 1; i <= 5; i++ {
		s.put(fmt.Sprint("user:", i), doc(1, fmt.Sprint(i)))
		s.get("user:2") // in use
	}
	for i, there := range []bool{true, true, true, false, true, true} {
		if _, known := s.get(fmt.Sprint("user:", i)); known != there {
			t.Errorf("user:%d: known %v", i, known)
		}
	}
	if got := s.agreed(); len(got) > 0 {
		t.Errorf("agreed: %v", got)
	}
	s.agree([]string{"user:1", "user:9"})
	if got := s.agreed(); len(got) != 1 || got[0] != "user:1" {
		t.Errorf("agreed: %v", got)
	}
	s.unwatch([]string{"user:0", "user:1", "user:7"})
	s.expect(t, "user:1", 1, "1")
	s.put("user:6", doc(1, "6"))
	s.put("user:7", doc(1, "7"))
	s.put("user:8", doc(1, "8"))
	s.expect(t, "user:0", 0, "")
	s.expect(t, "user:1", 0, "")
}

func TestAnotherEpochClearsDocumentsNotWishes(t *testing.T) {
	s := newStore(3)
	s.watch([]string{"user:1"})
	s.agree([]string{"user:1"})
	s.put("user:1", doc(50, "old"))
	s.put("user:2", doc(50, "old"))
	s.clear()
	s.expect(t, "user:1", 0, "")
	s.expect(t, "user:2", 0, "")
	if !s.put("user:1", doc(2, "new")) || len(s.agreed()) != 1 {
		t.Errorf("a lower version of another epoch: %v", s.agreed())
	}
}
