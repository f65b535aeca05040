package client

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"selvedge/wire"
)

// defaultObjects is how many documents a client keeps, if Config doesn't say.
const defaultObjects = 10_000

// store keeps the documents that an edge told of, whatever brought them: of each
// the highest version, the least lately used go first. Those that are watched stay.
// One that is gone is kept as such, so that an older word can't revive it. Safe for
// concurrent use.
type store struct {
	size int // of kept; below 0 nothing is kept but what is watched

	mu      sync.Mutex
	kept    *simplelru.LRU[string, wire.Object] // nil = none yet
	watched map[string]*watched
}

// watched is a wish of the application.
type watched struct {
	object wire.Object // V 0: nothing is known
	agreed bool        // an edge has answered: later connections ask again by themselves
}

func newStore(size int) *store {
	if size == 0 {
		size = defaultObjects
	}
	return &store{size: size, watched: map[string]*watched{}}
}

// get is what is known of key. Data that is not set: there is no such document
// (any more).
func (s *store) get(key string) (o wire.Object, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.getLocked(key)
}

func (s *store) getLocked(key string) (o wire.Object, known bool) {
	if w := s.watched[key]; w != nil {
		return w.object, w.object.V > 0
	}
	if s.kept == nil {
		return wire.Object{}, false
	}
	return s.kept.Get(key)
}

// put takes a version, and reports whether it is a newer one.
func (s *store) put(key string, o wire.Object) bool {
	if o.V == 0 {
		return false // nobody stored a document
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, _ := s.getLocked(key); old.V >= o.V {
		return false
	}
	return s.keepLocked(key, o)
}

// lose takes the word that there is no such document, or none to be seen. It
// reports whether that is new. The word has no version of its own, and may be taken
// back: by the same version, of a room that is joined again, hence it counts as one
// less.
func (s *store) lose(key string) (o wire.Object, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, _ = s.getLocked(key)
	if !o.Data.IsSet() {
		return o, false
	}
	o.Data = nil
	return o, s.keepLocked(key, wire.Object{V: o.V - 1})
}

// keepLocked reports whether the object was kept.
func (s *store) keepLocked(key string, o wire.Object) bool {
	if w := s.watched[key]; w != nil {
		w.object = o
		return true
	}
	if s.size < 0 {
		return false
	}
	if s.kept == nil {
		s.kept, _ = simplelru.NewLRU[string, wire.Object](s.size, nil) // it fails for sizes below 1
	}
	s.kept.Add(key, o)
	return true
}

// clear forgets all documents, not the wishes: versions of another epoch can't be
// compared with these.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
	for _, w := range s.watched {
		w.object = wire.Object{}
	}
}

// watch notes a wish. added are the keys that were none before.
func (s *store) watch(keys []string) (added []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if s.watched[key] != nil {
			continue
		}
		o, _ := s.getLocked(key)
		if s.kept != nil {
			s.kept.Remove(key)
		}
		s.watched[key] = &watched{object: o}
		added = append(added, key)
	}
	return added
}

// agree notes that an edge knows of these wishes, as far as they are still there.
func (s *store) agree(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if w := s.watched[key]; w != nil {
			w.agreed = true
		}
	}
}

// unwatch ends wishes. What is known stays, as anything else.
func (s *store) unwatch(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		w := s.watched[key]
		delete(s.watched, key)
		if w != nil && w.object.V > 0 {
			s.keepLocked(key, w.object)
		}
	}
}

// agreed are the keys that another edge must be asked for again.
func (s *store) agreed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key, w := range s.watched {
		if w.agreed {
			keys = append(keys, key)
		}
	}
	return keys
}

func userKey(id wire.UserID) string { return "user:" + string(id) }

func roomKey(id wire.RoomID) string { return wire.RoomPrefix + string(id) }
