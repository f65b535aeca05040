package objects

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"selvedge/wire"
)

// shard is a part of the objects. A Get of the LRU writes to it, so one lock for
// all would be the busiest of the edge.
type shard struct {
	objects *Objects

	mu sync.Mutex
	// Every entry is in one of these: all that are loaded, the existing ones
	// apart, and those that are not to be evicted.
	existing list              // guarded by mu
	missing  list              // guarded by mu
	kept     map[string]*entry // guarded by mu: is loaded, or watched
	keptSize int               // guarded by mu: of what is watched
}

// list are entries that may be evicted, the least recently used first.
type list struct {
	*simplelru.LRU[string, *entry]
	size int // bytes
}

// entry is what is known of one document. Guarded by its shard's mutex.
type entry struct {
	obj      *Object // nil until it is loaded
	charged  int     // bytes of it that are counted in its list
	load     *load   // nil once it is loaded
	wanted   bool    // its interest was asked for
	watchers []Watcher
}

func newShard(o *Objects) *shard {
	s := &shard{objects: o, kept: map[string]*entry{}}
	for _, l := range []*list{&s.existing, &s.missing} {
		l.LRU, _ = simplelru.NewLRU[string, *entry](math.MaxInt, nil) // it fails for sizes below 1
	}
	return s
}

// findLocked is an entry, used just now; nil = there is none.
func (s *shard) findLocked(key string) *entry {
	if e, ok := s.existing.Get(key); ok {
		return e
	}
	if e := s.kept[key]; e != nil {
		return e
	}
	e, _ := s.missing.Get(key)
	return e
}

// listLocked is where a loaded entry that nobody watches belongs.
func (s *shard) listLocked(o *Object) *list {
	if o.Exists() {
		return &s.existing
	}
	return &s.missing
}

// takeLocked takes an entry out of where it is.
func (s *shard) takeLocked(key string, e *entry) {
	if s.kept[key] == e {
		delete(s.kept, key)
		s.keptSize -= e.charged
	} else {
		l := s.listLocked(e.obj)
		l.Remove(key)
		l.size -= e.charged
	}
	e.charged = 0
}

// putLocked puts an entry to where it belongs, and makes room for it. What is
// given back has to go: its interest is to be dropped, without the lock.
func (s *shard) putLocked(key string, e *entry) (evicted []string) {
	if e.load != nil || len(e.watchers) > 0 {
		s.kept[key] = e
		if e.obj != nil {
			e.charged = e.obj.size()
			s.keptSize += e.charged
		}
		return nil
	}
	e.charged = e.obj.size()
	l := s.listLocked(e.obj)
	l.Add(key, e)
	l.size += e.charged
	return s.evictLocked()
}

// evictLocked keeps the lists within their budgets.
func (s *shard) evictLocked() (evicted []string) {
	whole := s.objects.cfg.Budget / shards
	for _, l := range []struct {
		*list
		budget int
	}{{&s.missing, whole / missingShare}, {&s.existing, whole - s.keptSize - s.missing.size}} {
		for l.size > l.budget && l.Len() > 1 {
			key, e, _ := l.RemoveOldest()
			l.size -= e.charged
			e.obj = nil
			evicted = append(evicted, key)
		}
	}
	return evicted
}

// charge counts a packet of o, unless o was replaced or evicted meanwhile.
func (s *shard) charge(o *Object, n int) {
	s.mu.Lock()
	var evicted []string
	if e := s.peekLocked(o.Key); e != nil && e.obj == o {
		e.charged += n
		if s.kept[o.Key] == e {
			s.keptSize += n
		} else {
			s.listLocked(o).size += n
			evicted = s.evictLocked()
		}
	}
	s.mu.Unlock()
	s.objects.drop(evicted)
}

// peekLocked is findLocked without a use.
func (s *shard) peekLocked(key string) *entry {
	if e := s.kept[key]; e != nil {
		return e
	}
	if e, ok := s.existing.Peek(key); ok {
		return e
	}
	e, _ := s.missing.Peek(key)
	return e
}

// bytes is what the shard holds.
func (s *shard) bytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.existing.size + s.missing.size + s.keptSize
}

// aheadLocked takes a version that an answer had before its record came. What is
// watched waits for the record, whose turn it is to be told of.
func (s *shard) aheadLocked(key string, e *entry, doc wire.Object) (evicted []string) {
	switch {
	case e.obj == nil && (e.load.early == nil || e.load.early.V < doc.V):
		e.load.early = s.objects.version(s, key, doc.V, doc.Data)
	case e.obj != nil && e.obj.V < doc.V && len(e.watchers) == 0:
		s.takeLocked(key, e)
		e.obj = s.objects.version(s, key, doc.V, doc.Data)
		return s.putLocked(key, e)
	}
	return nil
}

// change takes a record of the state log.
func (s *shard) change(key string, v wire.Seq, data wire.Data) {
	s.mu.Lock()
	e := s.peekLocked(key)
	if e == nil {
		s.mu.Unlock()
		return
	}
	o := s.objects.version(s, key, v, data)
	if e.obj == nil { // its answer is on the way: the later one counts
		if e.load.early == nil || e.load.early.V < v {
			e.load.early = o
		}
		s.mu.Unlock()
		return
	}
	if v <= e.obj.V {
		s.mu.Unlock()
		return
	}
	s.takeLocked(key, e)
	e.obj = o
	evicted := s.putLocked(key, e)
	watchers := e.watchers
	s.mu.Unlock()
	for _, w := range watchers {
		w.ObjectMoved(o)
	}
	s.objects.drop(evicted)
}
