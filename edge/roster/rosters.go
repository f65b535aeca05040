package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// Upstream is where Rosters ask, and hold their interests. Its methods are
// called under their lock: they must not call back before they return.
type Upstream interface {
	Query(ctx context.Context, q *wire.Query) (*wire.Answer, error)
	Want(p wire.LogID, wants ...upstream.Want)
	Drop(p wire.LogID, keys ...wire.Key)
}

// Events are what Rosters report. Unset ones are filled in with no-ops.
type Events struct {
	// Asked is called for each question with its kind, "members", "shares" or
	// "search", and whether it was answered from memory.
	Asked func(kind string, hit bool)
	// Loaded is called when a room was read whole, or could not be.
	Loaded func(members int, took time.Duration, err error)
}

func (e Events) withDefaults() Events {
	if e.Asked == nil {
		e.Asked = func(string, bool) {}
	}
	if e.Loaded == nil {
		e.Loaded = func(int, time.Duration, error) {}
	}
	return e
}

// Config sets up Rosters. It is not modified.
type Config struct {
	Upstream Upstream
	// Budget is how much memory they may take, in bytes: about 300 for a member of
	// a whole room that is in no other one, 25 for each further room that it is in,
	// and 310 for a room of which the number of members is known. What is being
	// loaded or read goes beyond it.
	Budget int64
	Logger *slog.Logger
	Events Events
}

// queryTimeout bounds one question to the core, the wait for a link included.
const queryTimeout = 8 * time.Second

// errStopped: Run has ended.
var errStopped = errors.New("the edge is stopping")

// RefusedError is the core's refusal to answer: a room that doesn't exist is
// wire.NotFound.
type RefusedError struct {
	Code    wire.Code
	Message string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Rosters are the rooms and users of an edge. Its methods are safe for
// concurrent use; those that need no answer of the core don't wait.
//
// Budget bounds the rooms, their members and users. What is under way is bounded
// by those who ask.
type Rosters struct {
	cfg   Config
	ctx   context.Context // ends with Run
	stop  context.CancelFunc
	wg    sync.WaitGroup
	slots chan struct{} // one for each load under way
	bound int           // fixed: members of a room that is read whole, and of all that a search looks through

	// pos is how far the state log's stream was taken. Written under mu, but for
	// Upto.
	pos atomic.Uint64

	mu       sync.RWMutex
	stopped  bool                               // guarded by mu: no new goroutines
	rooms    *simplelru.LRU[wire.RoomID, *room] // guarded by mu
	table    []*room                            // guarded by mu, by room.num; nil = free
	free     []uint32                           // guarded by mu: places in table
	users    map[wire.UserID]*user              // guarded by mu
	most     int                                // guarded by mu: users since their map was made
	index    index                              // guarded by mu
	wants    []upstream.Want                    // guarded by mu: to be asked for before mu is given back
	dropped  []wire.Key                         // guarded by mu: and to be given back after that
	unread   []userToken                        // guarded by mu: whose documents are to be read
	unnamed  []userToken                        // guarded by mu: in the order of their turns, whose names are not sure; and some that are
	ahead    wire.Seq                           // guarded by mu: the latest position that members or names were read at
	turns    uint64                             // guarded by mu: of users that became unnamed so far
	turned   chan struct{}                      // guarded by mu: closed and nil when the first of unnamed has gone; nil = nobody waits
	reading  bool                               // guarded by mu: a goroutine does
	dying    []*room                            // guarded by mu: forgotten, and still in memory
	reaping  bool                               // guarded by mu: a goroutine does
	bytes    int64                              // guarded by mu: what all of this takes
	movedBy  uint64                             // guarded by mu: the delta whose marker moved is of
	moved    map[wire.Key]struct{}              // guarded by mu
	flights  map[string]*flight                 // guarded by mu: questions that pass through
	lifetime uint64                             // guarded by mu: counts Resets
}

// New are Rosters that know nothing. Run makes them end.
func New(cfg Config) *Rosters {
	cfg.Events = cfg.Events.withDefaults()
	s := &Rosters{cfg: cfg, slots: make(chan struct{}, maxLoads)}
	s.bound = int(min(maxMembers, max(leastBound, cfg.Budget/memberBytes)))
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.emptyLocked()
	return s
}

// emptyLocked begins with nothing.
func (s *Rosters) emptyLocked() {
	s.rooms, _ = simplelru.NewLRU[wire.RoomID, *room](math.MaxInt, nil) // it fails for no size only
	s.table, s.free = nil, nil
	s.users, s.most = map[wire.UserID]*user{}, 0
	s.index = newIndex()
	s.wants, s.dropped, s.unread, s.unnamed, s.dying = nil, nil, nil, nil, nil
	s.flights = map[string]*flight{}
	s.bytes = 0
	s.movedBy, s.moved = 0, nil
}

// Run waits for ctx to end, then ends what is under way and waits for it.
func (s *Rosters) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
	return nil
}

// spawnLocked runs fn in a goroutine that Run waits for.
func (s *Rosters) spawnLocked(fn func()) bool {
	if s.stopped {
		return false
	}
	s.wg.Go(fn)
	return true
}

// Reset forgets everything, for a state log of another epoch. What is under way
// fails.
func (s *Rosters) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushLocked()
	var keys []wire.Key
	for _, r := range s.rooms.Values() {
		r.dead = true
		s.wakeLocked(r)
		keys = append(keys, wire.MembersKey(r.id))
	}
	for _, u := range s.users {
		if u.sets > 0 {
			keys = append(keys, wire.UserKey(u.id))
		}
		u.want++ // markers that are on their way are nothing to it
	}
	s.turnLocked()
	if len(keys) > 0 {
		s.cfg.Upstream.Drop(wire.StateLog, keys...)
	}
	s.lifetime++
	s.emptyLocked()
	s.ahead = 0
	s.pos.Store(0)
}

// Bytes is how much memory all of it takes.
func (s *Rosters) Bytes() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bytes
}

// Count is the number of a room's members, if it is known at the moment, and the state
// position that it was read or told at.
func (s *Rosters) Count(id wire.RoomID) (n int, at wire.Seq, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.rooms.Peek(id)
	if !ok || !r.live {
		return 0, 0, false
	}
	r.touch()
	if r.whole {
		for _, m := range r.marks {
			at = max(at, m.v)
		}
		return r.members.Len(), at, true
	}
	return int(r.count), r.countV, r.counted
}

// Seed takes the number of a room's members that was read at state position v.
// It costs next to nothing if that is known already.
func (s *Rosters) Seed(id wire.RoomID, count int, v wire.Seq) {
	s.mu.RLock()
	r, ok := s.rooms.Peek(id)
	known := ok && r.counted
	s.mu.RUnlock()
	if known {
		r.touch()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seedLocked(id, count, v)
	s.flushLocked()
}

func (s *Rosters) seedLocked(id wire.RoomID, count int, v wire.Seq) {
	r, ok := s.rooms.Peek(id)
	if !ok {
		r = s.newRoomLocked(id, v)
	}
	if !r.counted && v >= r.from && v >= r.countV {
		r.count, r.countV, r.counted = int32(count), v, true
	}
}

// flushLocked keeps to the budget, then asks for the interests that have come
// together and gives others back. It comes before mu is given back.
func (s *Rosters) flushLocked() {
	s.trimLocked()
	s.turnLocked()
	if len(s.wants) > 0 {
		s.cfg.Upstream.Want(wire.StateLog, s.wants...)
		s.wants = nil
	}
	if len(s.dropped) > 0 {
		s.cfg.Upstream.Drop(wire.StateLog, s.dropped...)
		s.dropped = nil
	}
}

// ask asks the core, for what is no older than the stream.
func (s *Rosters) ask(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	q.P, q.V = wire.StateLog, s.Position()
	a, err := s.cfg.Upstream.Query(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case a.Err != nil:
		return nil, &RefusedError{a.Err.Code, a.Err.Message}
	case a.V < q.V:
		return nil, fmt.Errorf("%w: an answer of %d, %d was seen", upstream.ErrUnavailable, a.V, q.V)
	}
	return a, nil
}

// Position is how far the state log's stream was taken: everything up to it that this
// edge has an interest in.
func (s *Rosters) Position() wire.Seq { return wire.Seq(s.pos.Load()) }

// gaveUp is the error of a question whose asker didn't wait for it.
func gaveUp(ctx context.Context) error {
	return fmt.Errorf("%w: %w", upstream.ErrUnavailable, context.Cause(ctx))
}
