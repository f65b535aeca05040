package mega

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"

	"selvedge/simulations/load"
	"selvedge/wire"
)

// Ways of reaching everybody.
const (
	wayRoom     = "room"
	wayPersonal = "personal" // a channel for each user, published to by a loop: the baseline
)

// RunRooms measures a room against a channel for each member: it starts what it
// needs, and ends it. A message that is lost, damaged or comes twice is an error.
func RunRooms(ctx context.Context, stage Stage, s Rooms) (*RoomsResult, error) {
	r, err := newRig(&stage, s.MessageBytes)
	run := &roomsRun{rig: r, Rooms: s}
	if err == nil {
		err = run.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	return &RoomsResult{Sockets: s.Sockets, Edges: s.Edges, Members: s.Members, MessageBytes: s.MessageBytes, Rows: run.rows}, nil
}

// roomsRun is one run.
type roomsRun struct {
	*rig
	Rooms
	resting work
	sent    int // messages so far: each has a text of its own
	rows    []Row
}

// online is the group of those who are connected: the first of the users.
const online = "online"

func (r *roomsRun) run(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.room(ctx); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(r.Seed, 1))
	for _, channels := range []int{r.Sockets, r.Members} {
		order := random.Perm(channels)
		for i, l := range r.loops() {
			if err := r.personal(ctx, l, order, i); err != nil {
				return err
			}
		}
		if r.Sockets == r.Members {
			break
		}
	}
	return r.faultless(ctx, r.Sockets, online)
}

func (r *roomsRun) start(ctx context.Context) error {
	n := r.demand().clients
	r.progress("rooms: a core, %d edges, %d sockets, a room of %d", r.Edges, r.Sockets, r.Members)
	if err := r.spawn(n); err != nil {
		return err
	}
	if err := r.startFleet(ctx, r.Edges, r.Edges, (r.Sockets+r.Edges-1)/r.Edges, r.AtOnce); err != nil {
		return err
	}
	if _, err := r.join(ctx, everybody, 0, r.Members); err != nil {
		return err
	}
	g := load.Group{Name: online, User: userPrefix, Sockets: r.Sockets, InFlight: inFlight}
	for _, e := range r.fleet.Edges {
		g.URLs = append(g.URLs, socketURL(e))
	}
	if err := r.arrive(ctx, g); err != nil {
		return err
	}
	if err := r.rested(ctx); err != nil {
		return err
	}
	var err error
	r.resting, err = r.idle(ctx, 1)
	return err
}

// room publishes to the room, some times after one that isn't counted.
func (r *roomsRun) room(ctx context.Context) error {
	r.progress("rooms: %d publishes to the room", r.Publishes)
	var handler, last []float64
	var sum work
	var stored int64
	for i := range r.Publishes + 1 {
		before := r.stored()
		var o tellOutcome
		w, err := r.measure(ctx, func() (err error) {
			o, err = r.tell(ctx, loop{how: "one publish", send: oneByOne}, []wire.Channel{wire.RoomChannel(everybody)}, func(_, count int) int { return count })
			return err
		})
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		handler, last, sum, stored = append(handler, millis(o.handler)), append(last, millis(o.last)), sum.plus(w), stored+r.stored()-before
	}
	n := float64(r.Publishes)
	row := Row{
		Way: wayRoom, How: "one publish", Channels: 1, Published: 1, Handler: spread(handler).Median, Last: spread(last).Median,
		Receipts: int64(r.Sockets), Stored: float64(stored) / n,
	}
	row.Whole = row.Handler
	row.used(sum.without(r.resting), n)
	r.rows = append(r.rows, row)
	return nil
}

// probe is how many channels tell how long a loop would take, where no smaller loop
// does; so many take no longer than that is worth.
const probe = 500

// personal publishes to the channels of users, in the order of their numbers, by
// loop number i. Of a loop that would take too long it does a part.
func (r *roomsRun) personal(ctx context.Context, l loop, order []int, i int) error {
	row := Row{Way: wayPersonal, How: l.how, Channels: len(order), Published: len(order)}
	if len(r.rows) > len(r.loops()) { // the smaller loops are done
		small := r.rows[1+i]
		row.Published = r.part(len(order), small.Published, small.Handler)
	} else if len(order) > probe {
		o, _, err := r.loopOver(ctx, l, order[:probe])
		if err != nil {
			return err
		}
		row.Published = r.part(len(order), probe, millis(o.handler))
	}
	row.Extrapolated = row.Published < len(order)
	r.progress("rooms: %d of %d personal channels, %s", row.Published, row.Channels, l.how)
	before := r.stored()
	var o tellOutcome
	w, err := r.measure(ctx, func() (err error) {
		o, row.Receipts, err = r.loopOver(ctx, l, order[:row.Published])
		return err
	})
	if err != nil {
		return err
	}
	row.Handler, row.Last, row.Stored = millis(o.handler), millis(o.last), float64(r.stored()-before)
	row.Whole = row.Handler * (float64(row.Channels) / float64(row.Published))
	row.used(w.without(r.resting), 1)
	r.rows = append(r.rows, row)
	return nil
}

// part is how many of n channels a loop has time for that took so many ms for done.
func (r *roomsRun) part(n, done int, ms float64) int {
	return max(min(n, int(float64(done)/ms*1e3*r.Most)), 1)
}

// loopOver tells the users with these numbers, of whom so many are connected.
func (r *roomsRun) loopOver(ctx context.Context, l loop, users []int) (o tellOutcome, receipts int64, err error) {
	channels := make([]wire.Channel, len(users))
	there := make([]int, r.Sockets+1) // how many of the connected with a lower number are told
	for k, user := range users {
		channels[k] = wire.InboxChannel(wire.UserID(load.UserID(userPrefix, user)))
		if user < r.Sockets {
			there[user+1] = 1
			receipts++
		}
	}
	for k := range r.Sockets {
		there[k+1] += there[k]
	}
	o, err = r.tell(ctx, l, channels, func(first, count int) int { return there[first+count] - there[first] })
	return o, receipts, err
}

// stored is how large the core's logs are, in bytes: the files of their messages.
func (r *roomsRun) stored() (n int64) {
	_ = filepath.WalkDir(r.fleet.Data(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".blk" {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what has just gone isn't stored
	})
	return n
}
