package objects

// Hot are the keys of the documents that were used last, at most n; those that are
// watched come first.
func (o *Objects) Hot(n int) []string {
	var watched, used []string
	each := (n + shards - 1) / shards
	for _, s := range o.shards {
		s.mu.Lock()
		for key, e := range s.kept {
			if e.obj != nil && e.obj.Exists() {
				watched = append(watched, key)
			}
		}
		keys := s.existing.Keys() // the one used last is the last
		s.mu.Unlock()
		used = append(used, keys[max(0, len(keys)-each):]...)
	}
	all := append(watched, used...)
	return all[:min(n, len(all))]
}

// Warm asks a sibling for the documents of keys that are not at hand. Nobody waits for
// them.
func (o *Objects) Warm(node string, keys []string) {
	for _, key := range keys {
		s := o.shardOf(key)
		s.mu.Lock()
		if s.peekLocked(key) != nil {
			s.mu.Unlock()
			continue
		}
		e := &entry{load: newLoad()}
		w := &wanted{key: key, e: e, load: e.load}
		s.putLocked(key, e)
		s.mu.Unlock()
		o.loader.fromSibling(node, w)
	}
}
