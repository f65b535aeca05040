package netsim

import "time"

// Access is the link by which hosts of one place reach all others, and which they
// share: an office's. Each way there is one queue, first come first served. It is a
// value of a Config, and not modified; hosts share what is the same pointer.
type Access struct {
	Up, Down float64 // bytes per second, with headers; 0 = any number
	// Queue is how many bytes may wait each way; what comes beyond that is lost. 0 =
	// any number.
	Queue int
}

// Busy is what an access saw in one direction.
type Busy struct {
	Bytes   uint64        // that went through
	Lost    uint64        // packets, for want of room
	Longest time.Duration // that one waited for those before it, and for its own bytes
}

// access is the state of an Access, guarded by Network.mu.
type access struct{ up, down shared }

// shared is one direction of it.
type shared struct {
	rate float64 // bytes per second; 0 = any
	room time.Duration
	free int64 // when all before has gone through, Unix nanoseconds
	busy Busy
}

func newAccess(a *Access) *access {
	half := func(rate float64) shared {
		s := shared{rate: rate}
		if rate > 0 && a.Queue > 0 {
			s.room = time.Duration(float64(a.Queue) / rate * float64(time.Second))
		}
		return s
	}
	return &access{half(a.Up), half(a.Down)}
}

// pass says when a packet that comes now has gone through, unless there is no room.
func (s *shared) pass(now int64, size int) (at int64, ok bool) {
	if s.rate <= 0 {
		s.busy.Bytes += uint64(size)
		return now, true
	}
	begin := max(now, s.free)
	at = begin + int64(float64(size)/s.rate*float64(time.Second))
	if s.room > 0 && time.Duration(begin-now) > s.room {
		s.busy.Lost++
		return now, false
	}
	s.free = at
	s.busy.Bytes += uint64(size)
	s.busy.Longest = max(s.busy.Longest, time.Duration(at-now))
	return at, true
}

// leaveLocked says when a packet that is sent now is out of its place.
func (l *link) leaveLocked(now int64, size int) (at int64, ok bool) {
	if a := l.from.access; a != nil && a != l.to.access {
		return a.up.pass(now, size)
	}
	return now, true
}

// enterLocked says when a packet that is at its place now is at its host.
func (l *link) enterLocked(now int64, size int) (at int64, ok bool) {
	if a := l.to.access; a != nil && a != l.from.access {
		return a.down.pass(now, size)
	}
	return now, true
}

// accessLocked is the one that a host is behind; nil = none.
func (n *Network) accessLocked(id Host) *access {
	if n.cfg.Access == nil {
		return nil
	}
	a := n.cfg.Access(id)
	if a == nil {
		return nil
	}
	if n.accesses[a] == nil {
		n.accesses[a] = newAccess(a)
	}
	return n.accesses[a]
}

// Busy is what an access saw so far, each way.
func (n *Network) Busy(a *Access) (up, down Busy) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.accesses[a]; s != nil {
		return s.up.busy, s.down.busy
	}
	return Busy{}, Busy{}
}
