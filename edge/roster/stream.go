package roster

import (
	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
)

// Record takes a record of the state log's stream: every one of a membership and
// of a user's document that comes, in order. It keeps nothing of rec but strings.
func (s *Rosters) Record(rec *wire.StateRecord) {
	if rec.Kind == wire.StateRoom {
		s.Upto(rec.V)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Kind == wire.StateMember {
		if r, ok := s.rooms.Peek(rec.Room); ok {
			s.memberLocked(r, rec)
		}
	} else if u := s.users[rec.User]; u != nil {
		s.documentLocked(u, rec)
	}
	s.Upto(rec.V)
	s.flushLocked()
}

// Upto takes a watermark: the stream is complete up to v. Nobody needs to call
// it, but rooms of several pages are loaded sooner with it.
func (s *Rosters) Upto(v wire.Seq) {
	for {
		old := s.pos.Load()
		if uint64(v) <= old || s.pos.CompareAndSwap(old, uint64(v)) {
			return
		}
	}
}

// Live takes the marker of an interest that Rosters have asked for, in order
// with the records. Others it leaves alone.
func (s *Rosters) Live(w upstream.Want, m link.Marker) {
	switch w.Token.(type) {
	case *room, userToken, settler:
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	moved := s.movedLocked(w.Key, m)
	s.Upto(m.Seq)
	switch t := w.Token.(type) {
	case *room:
		s.liveLocked(t, m.Seq, moved)
	case userToken:
		s.namedLocked(t, m.Seq, moved)
	case settler:
		close(t)
	}
	s.flushLocked()
}

// movedLocked reports whether a marker says that a key has moved. One marker is
// that of thousands of keys, one after the other.
func (s *Rosters) movedLocked(k wire.Key, m link.Marker) bool {
	if len(m.Moved) == 0 {
		return false
	}
	if s.moved == nil || s.movedBy != m.ID {
		s.movedBy, s.moved = m.ID, make(map[wire.Key]struct{}, len(m.Moved))
		for _, k := range m.Moved {
			s.moved[k] = struct{}{}
		}
	}
	_, moved := s.moved[k]
	return moved
}
