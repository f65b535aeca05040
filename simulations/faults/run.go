package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

const (
	// stallTime is how long nothing may be delivered before the rest counts as
	// lost, if nobody says otherwise. It exceeds the longest backoff of a client.
	stallTime = 25 * time.Second
	// settleTime bounds the wait for what still comes.
	settleTime = 3 * time.Minute
	// callTime bounds a call that isn't part of what is measured.
	callTime = 90 * time.Second
	// lookTime is between two looks at something that is waited for.
	lookTime = 50 * time.Millisecond
)

// errBroken says that the ledger found something.
var errBroken = errors.New("the promise was broken")

// run is one part: a fleet, members of its rooms, publishers, and the ledger.
type run struct {
	*Command

	// Fixed.
	name   string
	binary string
	env    []string      // of the nodes
	stall  time.Duration // how long nothing may be delivered before the rest counts as lost
	// patience is the publishers', with a core that doesn't answer; 0 = endless.
	// Set before they are started.
	patience time.Duration
	roams    bool // members ask which edges there are; set before they are started
	stderr   io.Writer

	fleet   *fleet.Fleet
	api     *backend.Client // of the first core
	book    *ledger.Ledger
	members []*member
	load    *publishers
	round   int      // of accounts; frames of an older one must not come
	seen    []string // what was found

	ending    context.CancelFunc // ends the members
	running   sync.WaitGroup     // the members
	delivered atomic.Int64       // frames, to all members
}

// play runs a part, and ends what it started, however it ended.
func (r *run) play(ctx context.Context, part func(context.Context, *run) error) error {
	r.book = ledger.New()
	err := part(ctx, r)
	if r.load != nil {
		r.load.stop()
	}
	if err != nil && r.fleet != nil && !errors.Is(err, errNotHere) {
		r.progress("%v; the end of what the nodes logged:\n%s", err, r.fleet.Logs())
	}
	r.end()
	return err
}

// end ends the members and the fleet.
func (r *run) end() {
	if r.ending != nil {
		r.ending()
		r.running.Wait()
	}
	if r.fleet != nil {
		r.fleet.Stop()
	}
}

func (r *run) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(r.stderr, "bench faults: "+r.name+": "+format+"\n", args...) // may go unread
}

// saw enters what was found.
func (r *run) saw(format string, args ...any) {
	r.seen = append(r.seen, fmt.Sprintf(format, args...))
	r.progress(format, args...)
}

// start starts the fleet.
func (r *run) start(ctx context.Context, cfg fleet.Config) error {
	cfg.Binary, cfg.Env = r.binary, r.env
	var err error
	if r.fleet, err = fleet.Run(ctx, cfg); err != nil {
		return err
	}
	r.api = api(r.fleet.Core)
	return nil
}

// gather starts the fleet, makes the rooms of a crowd, and connects their members.
func (r *run) gather(ctx context.Context, cfg fleet.Config, c crowd) error {
	if err := r.start(ctx, cfg); err != nil {
		return err
	}
	if err := r.populate(ctx, c); err != nil {
		return err
	}
	return r.connect(ctx, c)
}

func api(core *fleet.Node) *backend.Client {
	return &backend.Client{BaseURL: core.URL, Key: identity.DevAPIKey}
}

// crowd is who is in which room.
type crowd struct{ rooms, members, perMember int }

func roomID(i int) wire.RoomID       { return wire.RoomID(fmt.Sprintf("room-%d", i)) }
func roomChannel(i int) wire.Channel { return wire.RoomChannel(roomID(i)) }
func userID(i int) wire.UserID       { return wire.UserID(fmt.Sprintf("member-%d", i)) }

// in reports which rooms member i is in.
func (c crowd) in(i int) []int {
	rooms := make([]int, 0, c.perMember)
	for k := range c.perMember {
		rooms = append(rooms, (i*7+k)%c.rooms)
	}
	return rooms
}

// populate makes the rooms and their members.
func (r *run) populate(ctx context.Context, c crowd) error {
	in := make([][]wire.UserID, c.rooms)
	for i := range c.members {
		for _, room := range c.in(i) {
			in[room] = append(in[room], userID(i))
		}
	}
	for i, users := range in {
		doc, err := wire.ParseJSON([]byte(`{}`))
		if err != nil {
			return err
		}
		if _, err := r.api.PutRoom(ctx, roomID(i), backend.Document{Data: doc}); err != nil {
			return err
		}
		if _, err := r.api.ChangeMembers(ctx, roomID(i), users, nil); err != nil {
			return err
		}
	}
	return nil
}

// connect starts the members of a crowd, in turns at the edges, each to see
// everything of its rooms, and waits until each is welcome.
func (r *run) connect(ctx context.Context, c crowd) error {
	return r.connectSome(ctx, c, r.fleet.EdgeURLs(), 0, c.members)
}

// connectSome does so with count members, from the first on.
func (r *run) connectSome(ctx context.Context, c crowd, urls []string, first, count int) error {
	ctx, r.ending = context.WithCancel(ctx)
	for i := first; i < first+count; i++ {
		for _, room := range c.in(i) {
			r.book.Expect(string(userID(i)), roomChannel(room))
		}
		m, err := newMember(r.account(), &r.delivered, userID(i), turned(urls, i), r.roams)
		if err != nil {
			return err
		}
		r.members = append(r.members, m)
		r.running.Go(func() { m.run(ctx) })
		if len(r.members)%massBurst == 0 { // a server that just starts sees no storm
			if err := r.welcomed(ctx); err != nil {
				return err
			}
		}
	}
	return r.welcomed(ctx)
}

// welcomed waits until all members are.
func (r *run) welcomed(ctx context.Context) error {
	return r.until(ctx, callTime, "all members are welcome", func() bool {
		for _, m := range r.members {
			if m.welcomes.Load() == 0 {
				return false
			}
		}
		return true
	})
}

// allResumed waits until all members have.
func (r *run) allResumed(ctx context.Context) error {
	return r.until(ctx, callTime, "every member has resumed", func() bool {
		for _, m := range r.members {
			if m.resumed.Load() == 0 {
				return false
			}
		}
		return true
	})
}

// account is where members enter what they see.
func (r *run) account() *account { return &account{book: r.book, round: r.round} }

// nextRound begins another account: a new epoch. What was published before it is
// delivered no more.
func (r *run) nextRound(c crowd) {
	r.book = ledger.New()
	r.round++
	for i, m := range r.members {
		for _, room := range c.in(i) {
			r.book.Expect(m.user, roomChannel(room))
		}
		m.account.Store(r.account())
	}
}

// quiet waits until nothing is delivered for a second.
func (r *run) quiet(ctx context.Context) error {
	for last := int64(-1); last != r.delivered.Load(); {
		last = r.delivered.Load()
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// turned is list, beginning with its i-th.
func turned(list []string, i int) []string {
	i %= len(list)
	return append(append([]string(nil), list[i:]...), list[:i]...)
}

// until waits for a condition.
func (r *run) until(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	end := time.Now().Add(limit)
	for !done() {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", limit, what)
		}
		if err := pause(ctx, lookTime); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until everything acknowledged is delivered, or nothing more
// comes, and says why the promise was not kept, if it wasn't.
func (r *run) settle(ctx context.Context) error {
	last, moved := r.delivered.Load(), time.Now()
	res := r.book.Result()
	for end := moved.Add(settleTime); res.Lost > 0 && time.Since(moved) < r.stall && time.Now().Before(end) && r.sound() == nil; {
		if err := pause(ctx, 4*lookTime); err != nil {
			return err
		}
		if n := r.delivered.Load(); n != last {
			last, moved = n, time.Now()
		}
		res = r.book.Result()
	}
	r.saw("%v; %d that nobody had acknowledged", res, res.Unacknowledged)
	if !res.Kept() {
		r.progress("%s", strings.Join(r.book.Problems(20), "\n"))
		return errors.Join(errBroken, r.sound())
	}
	if err := r.sound(); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return nil
}

// sound says what there is to complain of, beside the ledger.
func (r *run) sound() error {
	if n := r.load.odd.Load(); n > 0 {
		return fmt.Errorf("%d publishes were refused as something else than unavailable: %w", n, *r.load.refusal.Load())
	}
	for _, m := range r.members {
		if err := m.ended.Load(); err != nil {
			return fmt.Errorf("%s has given up: %w", m.user, *err)
		}
		if n := m.violations.Load(); n > 0 {
			return fmt.Errorf("%s saw %d holes", m.user, n)
		}
		if n := m.strangers.Load(); n > 0 {
			return fmt.Errorf("%s got %d messages of an older epoch, or unreadable ones", m.user, n)
		}
	}
	return nil
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
