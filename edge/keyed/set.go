package keyed

import (
	"hash/maphash"
	"iter"
)

const (
	// parts is how many tables a Set is made of: each grows by itself, so that
	// nobody waits for all to be moved.
	parts = 16
	// minSlots is the size of the smallest table that isn't empty.
	minSlots = 8
)

// Set holds pointers to structs, one for each key. Make it by New. It is not safe
// for concurrent use.
type Set[K ~string, V any] struct {
	key   func(*V) K
	seed  maphash.Seed
	len   int
	parts [parts]table[V]
}

// table is open addressing with linear probing. Nothing is read of an element
// whose tag differs, so that a look at a crowded place stays cheap.
type table[V any] struct {
	slots []*V
	tags  []byte // of each slot
	full  int    // slots that are not free: taken, or deleted
	taken int
}

// Tags. All others have the highest bit, and seven bits of the key's hash.
const (
	free    = 0
	deleted = 1
	taken   = 0x80
)

// New is an empty set of structs whose key is what key says. That must not change
// while they are in the set.
func New[K ~string, V any](key func(*V) K) *Set[K, V] {
	return &Set[K, V]{key: key, seed: maphash.MakeSeed()}
}

// Len is the number of elements.
func (s *Set[K, V]) Len() int { return s.len }

// Get is the element with key k, or nil.
func (s *Set[K, V]) Get(k K) *V {
	t, h := s.table(k)
	if i := s.find(t, h, k); i >= 0 {
		return t.slots[i]
	}
	return nil
}

// Add adds v, whose key the set must not have.
func (s *Set[K, V]) Add(v *V) {
	t, h := s.table(s.key(v))
	if (t.full+1)*8 > len(t.slots)*7 {
		s.resize(t)
	}
	t.put(v, h)
	s.len++
}

// Delete takes v out. It does nothing if the set has no v; another element with
// its key stays.
func (s *Set[K, V]) Delete(v *V) {
	k := s.key(v)
	t, h := s.table(k)
	i := s.find(t, h, k)
	if i < 0 || t.slots[i] != v {
		return
	}
	t.slots[i], t.tags[i] = nil, deleted
	t.taken--
	s.len--
	if t.taken*4 < len(t.slots) && len(t.slots) > minSlots || t.taken == 0 {
		s.resize(t)
	}
}

// All are the elements, in no order. The set must not change meanwhile.
func (s *Set[K, V]) All() iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for i := range s.parts {
			for _, v := range s.parts[i].slots {
				if v != nil && !yield(v) {
					return
				}
			}
		}
	}
}

// table is where k is, or would be, and its hash.
func (s *Set[K, V]) table(k K) (*table[V], uint64) {
	h := maphash.String(s.seed, string(k))
	return &s.parts[h%parts], h
}

// find is the slot of k, or -1.
func (s *Set[K, V]) find(t *table[V], h uint64, k K) int {
	if t.taken == 0 {
		return -1
	}
	for i, tag := t.home(h), tagOf(h); ; {
		switch t.tags[i] {
		case free:
			return -1
		case tag:
			if s.key(t.slots[i]) == k {
				return i
			}
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

// resize makes a table for what is in t, and half as much.
func (s *Set[K, V]) resize(t *table[V]) {
	old := t.slots
	*t = table[V]{}
	n := 0
	for _, v := range old {
		if v != nil {
			n++
		}
	}
	if n == 0 && len(old) > 0 {
		return // the last one has gone
	}
	size := max(minSlots, (n+1)*12/7)
	t.slots, t.tags = make([]*V, size), make([]byte, size)
	for _, v := range old {
		if v != nil {
			t.put(v, maphash.String(s.seed, string(s.key(v))))
		}
	}
}

// put puts v where there is room.
func (t *table[V]) put(v *V, h uint64) {
	i := t.home(h)
	for t.tags[i] >= taken {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	if t.tags[i] == free {
		t.full++
	}
	t.slots[i], t.tags[i] = v, tagOf(h)
	t.taken++
}

// home is where the search begins. The hash's low bits chose the table.
func (t *table[V]) home(h uint64) int { return int(h >> 32 * uint64(len(t.slots)) >> 32) }

func tagOf(h uint64) byte { return taken | byte(h>>8) }
