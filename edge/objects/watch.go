package objects

import "slices"

// Watch has w told of every later version of a document. It reports false if too
// much is watched here already. The document should be asked for by Get then: it
// is kept as long as somebody watches it.
func (o *Objects) Watch(key string, w Watcher) bool {
	s := o.shardOf(key)
	s.mu.Lock()
	e := s.peekLocked(key)
	if e != nil && slices.Contains(e.watchers, w) {
		s.mu.Unlock()
		return true
	}
	if s.keptSize > o.cfg.Budget/shards/2 {
		s.mu.Unlock()
		return false
	}
	begin := e == nil
	if begin {
		e = &entry{load: newLoad()}
	} else {
		s.takeLocked(key, e)
	}
	e.watchers = append(slices.Clip(e.watchers), w) // whoever reads the old list goes on
	s.putLocked(key, e)
	l := e.load
	s.mu.Unlock()
	if begin {
		o.begin(key, e, l, false)
	}
	return true
}

// Unwatch ends what Watch began. w may still be told what came just before.
func (o *Objects) Unwatch(key string, w Watcher) {
	s := o.shardOf(key)
	s.mu.Lock()
	e := s.kept[key]
	if e == nil || !slices.Contains(e.watchers, w) {
		s.mu.Unlock()
		return
	}
	s.takeLocked(key, e)
	e.watchers = slices.DeleteFunc(slices.Clone(e.watchers), func(x Watcher) bool { return x == w })
	evicted := s.putLocked(key, e)
	s.mu.Unlock()
	o.drop(evicted)
}
