package upstream

import (
	"iter"
	"maps"

	"selvedge/wire"
)

// keys are interests that are held, with how often. Nearly all are held once,
// and there are several per socket: the number is kept only where it isn't one.
type keys struct {
	once map[wire.Key]struct{}
	more map[wire.Key]int // beyond the first time
}

func newKeys() keys {
	return keys{once: map[wire.Key]struct{}{}, more: map[wire.Key]int{}}
}

func (s *keys) add(k wire.Key) {
	if s.has(k) {
		s.more[k]++
		return
	}
	s.once[k] = struct{}{}
}

// remove takes k out once. last says that it isn't held any more; it isn't for
// a key that wasn't held.
func (s *keys) remove(k wire.Key) (last bool) {
	if s.more[k] > 0 {
		if s.more[k]--; s.more[k] == 0 {
			delete(s.more, k)
		}
		return false
	}
	last = s.has(k)
	delete(s.once, k)
	return last
}

func (s *keys) has(k wire.Key) bool {
	_, ok := s.once[k]
	return ok
}

func (s *keys) all() iter.Seq[wire.Key] { return maps.Keys(s.once) }

func (s *keys) len() int { return len(s.once) }
