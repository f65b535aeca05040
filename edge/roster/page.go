package roster

import (
	"context"
	"errors"
	"strconv"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// wholeRoom is up to how many members a room is read whole when a page of it is
// asked for. The pages of a larger one pass through, unless a search has read it.
const wholeRoom = 5000

// Page is a page of a room's members in order of their ids, after the one named
// ("" = from the first), and their number. next is what to pass as after for the
// next page, "" = there is none. A limit outside 1 to wire.MaxPage is 100. Its
// errors are those of Upstream, and RefusedError.
func (s *Rosters) Page(ctx context.Context, id wire.RoomID, after wire.UserID, limit int) (members []wire.UserID, next string, count int, err error) {
	limit = pageLimit(limit)
	s.mu.RLock()
	r, ok := s.rooms.Peek(id)
	hit := ok && r.whole
	if hit {
		r.touch()
		members, next = r.page(after, limit)
		count = r.members.Len()
	}
	small := ok && r.live && r.counted && r.count <= wholeRoom
	s.mu.RUnlock()
	if s.cfg.Events.Asked("members", hit); hit {
		return members, next, count, nil
	}
	for small {
		r, err := s.whole(ctx, id, false)
		switch {
		case errors.Is(err, errTooLarge):
			return s.passPage(ctx, id, after, limit) // it has grown
		case err != nil:
			return nil, "", 0, err
		}
		s.mu.RLock()
		dead := r.dead
		members, next = r.page(after, limit)
		count = r.members.Len()
		s.mu.RUnlock()
		if s.unpin(r); !dead {
			return members, next, count, nil
		}
	}
	return s.passPage(ctx, id, after, limit)
}

// passPage asks the core for a page, and has a small room read whole for the
// next one.
func (s *Rosters) passPage(ctx context.Context, id wire.RoomID, after wire.UserID, limit int) ([]wire.UserID, string, int, error) {
	key := "members\x00" + string(id) + "\x00" + string(after) + "\x00" + strconv.Itoa(limit)
	q := wire.Query{T: wire.QMembers, Room: id, AfterID: string(after), Limit: limit}
	a, err := s.once(ctx, key, &q, func(a *wire.Answer) {
		s.seedLocked(id, a.MemberCount, a.V)
		if a.MemberCount <= wholeRoom {
			s.beginLocked(id)
		}
	})
	if err != nil {
		return nil, "", 0, err
	}
	return a.Members, a.Next, a.MemberCount, nil
}

func (r *room) page(after wire.UserID, limit int) (members []wire.UserID, next string) {
	r.members.AscendGreaterOrEqual(&user{id: after}, func(u *user) bool {
		switch {
		case u.id == after:
		case len(members) == limit:
			next = string(members[limit-1])
			return false
		default:
			members = append(members, u.id)
		}
		return true
	})
	return members, next
}

func pageLimit(asked int) int {
	if asked <= 0 || asked > wire.MaxPage {
		return 100
	}
	return asked
}

// flight is a question that passes through, for all who ask the same.
type flight struct {
	done chan struct{} // closed when a or err is set
	a    *wire.Answer
	err  error
}

// once asks the core; take gets the answer under the lock, once. Who comes while
// the same is being asked shares the answer, if it isn't older than the stream
// was when it came.
func (s *Rosters) once(ctx context.Context, key string, q *wire.Query, take func(*wire.Answer)) (*wire.Answer, error) {
	need := s.Position()
	for {
		f, err := s.fly(key, q, take)
		if err != nil {
			return nil, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, gaveUp(ctx)
		}
		if f.err != nil || f.a.V >= need {
			return f.a, f.err
		}
	}
}

func (s *Rosters) fly(key string, q *wire.Query, take func(*wire.Answer)) (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil {
		return f, nil
	}
	f := &flight{done: make(chan struct{})}
	lifetime := s.lifetime
	if !s.spawnLocked(func() {
		own := *q
		f.a, f.err = s.ask(s.ctx, &own)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(f.done)
		switch {
		case s.lifetime != lifetime:
			f.a, f.err = nil, errors.Join(upstream.ErrUnavailable, errors.New("the logs have changed"))
			return
		case f.err == nil:
			take(f.a)
			s.flushLocked()
		}
		delete(s.flights, key)
	}) {
		return nil, errStopped
	}
	s.flights[key] = f
	return f, nil
}
