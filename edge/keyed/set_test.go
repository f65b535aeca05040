package keyed

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

type user struct{ id string }

func newSet() *Set[string, user] { return New(func(u *user) string { return u.id }) }

// A set against a map: elements come and go, many of them and few.
func TestSetAgainstAMap(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s, plain := newSet(), map[string]*user{}
		for range 20_000 {
			u := &user{fmt.Sprint(rnd.IntN(10 << seed))}
			if got := s.Get(u.id); got != plain[u.id] {
				t.Fatalf("seed %d: %q is %v, want %v", seed, u.id, got, plain[u.id])
			}
			switch old := plain[u.id]; {
			case old == nil:
				s.Add(u)
				plain[u.id] = u
			case rnd.IntN(2) == 0:
				s.Delete(u) // another with this key
			default:
				s.Delete(old)
				s.Delete(old) // once more: it isn't there
				delete(plain, u.id)
			}
			if s.Len() != len(plain) {
				t.Fatalf("seed %d: %d elements, want %d", seed, s.Len(), len(plain))
			}
		}
		check(t, s, plain)
		for _, u := range plain {
			s.Delete(u)
		}
		check(t, s, nil)
		if n := s.size(); n != 0 {
			t.Errorf("seed %d: an empty set keeps %d slots", seed, n)
		}
	}
}

// check checks that a set is what plain is.
func check(t *testing.T, s *Set[string, user], plain map[string]*user) {
	t.Helper()
	got := map[string]*user{}
	for u := range s.All() {
		if got[u.id] != nil {
			t.Errorf("%q is there twice", u.id)
		}
		got[u.id] = u
	}
	for id, u := range plain {
		if got[id] != u || s.Get(id) != u {
			t.Errorf("%q is %v in all and %v by key, want %v", id, got[id], s.Get(id), u)
		}
	}
	if len(got) != len(plain) || s.Len() != len(plain) {
		t.Errorf("%d elements, %d by Len, want %d", len(got), s.Len(), len(plain))
	}
}

// size is how many slots there are.
func (s *Set[K, V]) size() (n int) {
	for i := range s.parts {
		n += len(s.parts[i].slots)
	}
	return n
}

// An element takes 16 bytes at most, whatever their number, and those that have
// gone none.
func TestSetIsSmall(t *testing.T) {
	const slot = 8 + 1 // a pointer, a tag
	s := newSet()
	var users []*user
	for n := 1; n <= 100_000; n++ {
		u := &user{fmt.Sprint(n)}
		s.Add(u)
		users = append(users, u)
		if bytes := slot * s.size(); n >= 1000 && bytes > 16*n {
			t.Fatalf("%d bytes for %d elements", bytes, n)
		}
	}
	for len(users) > 0 {
		n := len(users) - 1
		s.Delete(users[n])
		if users = users[:n]; slot*s.size() > slot*4*n+slot*minSlots*parts {
			t.Fatalf("%d slots for %d elements, after there were more", s.size(), n)
		}
	}
}

// One comes and one goes, for ever: the places of those that have gone are used
// again, and a search for what isn't there still ends.
func TestPlacesAreUsedAgain(t *testing.T) {
	s := newSet()
	last := &user{"0"}
	s.Add(last)
	for n := 1; n < 10_000; n++ {
		u := &user{fmt.Sprint(n)}
		s.Add(u)
		s.Delete(last)
		if last = u; s.Get(u.id) != u || s.Get("nobody") != nil || s.size() > minSlots*parts {
			t.Fatalf("after %d: %d slots", n, s.size())
		}
	}
}

// A user who comes is looked for, added, and looked for again.
func BenchmarkArrival(b *testing.B) {
	const n = 10_000
	users := make([]*user, n)
	for i := range users {
		users[i] = &user{fmt.Sprint("user-", i)}
	}
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := newSet()
			for i := range n {
				if s.Get(users[i].id) == nil {
					s.Add(users[i])
				}
				_ = s.Get(users[i].id)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/user")
	})
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := map[string]*user{}
			for i := range n {
				if s[users[i].id] == nil {
					s[users[i].id] = users[i]
				}
				_ = s[users[i].id]
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/user")
	})
}
