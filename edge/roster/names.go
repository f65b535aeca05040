package roster

import (
	"time"

	"selvedge/wire"
)

const (
	// namesAtOnce is how many documents are asked for in one question.
	namesAtOnce = 500
	// namesRetry is the pause after a question that was not answered.
	namesRetry = time.Second
)

// namedLocked takes the marker of a user's interest.
func (s *Rosters) namedLocked(t userToken, at wire.Seq, moved bool) {
	u := t.u
	if !t.holds() || u.state != unnamed {
		return
	}
	if u.read && !moved || u.v >= at {
		s.sureLocked(u)
		return
	}
	u.state = unread
	s.unread = append(s.unread, t)
	if !s.reading {
		s.reading = s.spawnLocked(s.readNames)
	}
}

// turnLocked lets go of users at the head of unnamed whose names are sure.
func (s *Rosters) turnLocked() {
	n := 0
	for n < len(s.unnamed) && (!s.unnamed[n].holds() || s.unnamed[n].u.state == sure) {
		n++
	}
	if n == 0 {
		return
	}
	if s.unnamed = s.unnamed[n:]; len(s.unnamed) == 0 {
		s.unnamed = nil
	}
	if s.turned != nil {
		close(s.turned)
		s.turned = nil
	}
}

// turnedLocked reports whether everyone who was unnamed when turns was what it is
// given has a name, or went. If not, wait is closed when there is some progress.
func (s *Rosters) turnedLocked(turns uint64) (done bool, wait <-chan struct{}) {
	if s.turns-uint64(len(s.unnamed)) >= turns {
		return true, nil
	}
	if s.turned == nil {
		s.turned = make(chan struct{})
	}
	return false, s.turned
}

// readNames reads the documents of users that have to be, until there are none.
func (s *Rosters) readNames() {
	for {
		batch := s.nextNames()
		if len(batch) == 0 {
			return
		}
		q := &wire.Query{T: wire.QGet, Keys: make([]string, len(batch))}
		for i, t := range batch {
			q.Keys[i] = documentKey(t.u)
		}
		a, err := s.ask(s.ctx, q)
		asked := len(batch)
		if err == nil {
			batch = s.takeNames(batch, a)
		}
		if len(batch) == asked {
			s.cfg.Logger.WarnContext(s.ctx, "names could not be read", "err", err)
			select {
			case <-time.After(namesRetry):
			case <-s.ctx.Done():
			}
		}
		s.mu.Lock()
		s.unread = append(s.unread, batch...)
		s.mu.Unlock()
	}
}

func documentKey(u *user) string { return "user:" + string(u.id) }

// nextNames are users whose documents are still to be read. Without any, the
// reader ends.
func (s *Rosters) nextNames() (batch []userToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.unread {
		if len(batch) == namesAtOnce {
			break
		}
		if n++; t.holds() && t.u.state == unread {
			batch = append(batch, t)
		}
	}
	s.unread = s.unread[n:]
	if len(batch) == 0 || s.stopped {
		s.reading = false
		return nil
	}
	return batch
}

// takeNames takes an answer, and returns those that it had no room for.
func (s *Rosters) takeNames(batch []userToken, a *wire.Answer) (rest []userToken) {
	names := make([]string, len(batch))
	for i, t := range batch {
		key := documentKey(t.u)
		if key == a.Next {
			rest = append(rest, batch[i:]...)
			batch = batch[:i]
			break
		}
		names[i] = t.u.called(wire.NameOf(a.Objects[key].Data))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range batch {
		if t.holds() {
			s.ahead = max(s.ahead, a.V)
		}
		if !t.holds() || t.u.state != unread {
			continue
		}
		if a.V > t.u.v {
			s.renameLocked(t.u, names[i])
			t.u.v = a.V
		}
		s.sureLocked(t.u)
	}
	s.flushLocked()
	return rest
}
