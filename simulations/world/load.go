package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"selvedge/wire"
)

// Load is what people do in a world. Its zero value is nothing.
type Load struct {
	Users, Rooms, Topics int
	// Every is the mean time between two messages of a channel.
	Every time.Duration
	// Padding is what each message has beside its number, in bytes.
	Padding int
	// Quiet is how many of the rooms are: a message each twenty times Every.
	Quiet int
	// Churn is the mean time between two changes: a join, a leave, a topic
	// subscribed or given up; half of those who came lose their connection in the
	// next moment. 0 = none.
	Churn time.Duration
	// Drops is the mean time between two connections that are cut. 0 = none.
	Drops time.Duration
	// Authors has each message say who wrote it, and mention somebody.
	Authors bool
	// Slow is how many of the users take half a second for each message.
	Slow int
}

const (
	// publishTime bounds one publish, and changeTime one change of a room, tries
	// included. What a client asks for lasts as long as it takes.
	publishTime = 20 * time.Second
	changeTime  = 20 * time.Second
	// copyTime is more than the copies of a log are ever apart.
	copyTime = 2 * time.Second
	// dropWithin is how soon who came is dropped, at most.
	dropWithin = 400 * time.Millisecond
	slowness   = 500 * time.Millisecond
	quietness  = 20
)

// emptyMap is an object without fields, in msgpack.
var emptyMap = wire.Data{0x80}

// people do what a Load says.
type people struct {
	w    *World
	load Load
	seed uint64
	wg   sync.WaitGroup

	mu   sync.Mutex
	in   map[seat]bool // guarded by mu; who is where, as far as was asked for
	busy map[seat]bool // guarded by mu; where a change is under way, or its outcome unknown

	slowest time.Duration             // guarded by mu; that a publish took
	failed  []error                   // guarded by mu; of publishes that were not acknowledged in time
	bytes   int64                     // guarded by mu; of the messages that were published
	places  map[wire.Channel][]landed // guarded by mu; of messages that were acknowledged
}

// seat is a client's in a channel.
type seat struct {
	client int
	ch     wire.Channel
}

// landed is a message's in its log, and when that was known.
type landed struct {
	seq wire.Seq
	at  time.Duration
}

func newPeople(w *World, load Load) *people {
	return &people{w: w, load: load, seed: w.cfg.Seed, in: map[seat]bool{}, busy: map[seat]bool{}, places: map[wire.Channel][]landed{}}
}

func room(i int) wire.Channel  { return wire.Channel(fmt.Sprintf("room:r%d", i)) }
func topic(i int) wire.Channel { return wire.Channel(fmt.Sprintf("topic:t%d", i)) }

func roomID(ch wire.Channel) wire.RoomID {
	return wire.RoomID(strings.TrimPrefix(string(ch), "room:"))
}

// dice are a goroutine's own.
func (p *people) dice(who string, i int) *rand.Rand {
	h := uint64(len(who))
	for _, b := range []byte(who) {
		h = h*31 + uint64(b)
	}
	return rand.New(rand.NewPCG(p.seed, h<<32+uint64(i)))
}

// settle makes rooms and members, starts the clients, and returns when each was
// welcomed.
func (p *people) settle(ctx context.Context) error {
	r := p.dice("settle", 0)
	topics := make([][]wire.Channel, p.load.Users)
	for i := range p.load.Rooms + p.load.Topics {
		ch := p.channel(i)
		var members []wire.UserID
		for u := range p.load.Users {
			if r.IntN(2) == 0 && u != p.owner(i) {
				continue
			}
			user := wire.UserID(fmt.Sprintf("u%d", u))
			p.in[seat{u, ch}] = true
			p.w.Book.Expect(string(user), ch)
			members = append(members, user)
			if ch.IsTopic() {
				topics[u] = append(topics[u], ch)
			}
		}
		if ch.IsTopic() {
			continue
		}
		if err := p.w.API.PutRoom(ctx, roomID(ch)); err != nil {
			return err
		}
		if err := p.w.API.ChangeMembers(ctx, i, roomID(ch), members, nil); err != nil {
			return err
		}
	}
	<-time.After(copyTime) // a core reads what another one wrote a little later
	for u := range p.load.Users {
		if _, err := p.w.AddClient(ctx, topics[u]...); err != nil {
			return err
		}
	}
	for _, c := range p.w.Clients {
		if err := until(ctx, time.Minute, func() bool { all, _ := c.Welcomes(); return all > 0 }); err != nil {
			return fmt.Errorf("%s was not welcomed: %w", c.User, err)
		}
	}
	return nil
}

func (p *people) channels() int { return p.load.Rooms + p.load.Topics }

// owner is the client that is always in channel number i. Of one in three channels
// it is the publisher; neighbours of these are at different edges.
func (p *people) owner(i int) int {
	if byClient(i) {
		return i / 3 % p.load.Users
	}
	return i % p.load.Users
}

// byClient reports whether a channel's publisher is a client, and not the backend.
func byClient(i int) bool { return i%3 == 2 }

// channel number i: rooms first, then topics.
func (p *people) channel(i int) wire.Channel {
	if i < p.load.Rooms {
		return room(i)
	}
	return topic(i - p.load.Rooms)
}

// live does what the load says until ctx ends.
func (p *people) live(ctx context.Context) {
	for i := range p.load.Slow {
		p.w.Clients[i].Slow(slowness)
	}
	for i := range p.channels() {
		p.wg.Go(func() { p.publishSome(ctx, i) })
	}
	if p.load.Churn > 0 {
		p.wg.Go(func() { p.churn(ctx) })
	}
	if p.load.Drops > 0 {
		p.wg.Go(func() { p.drop(ctx) })
	}
	<-ctx.Done()
	for _, c := range p.w.Clients {
		c.Slow(0)
	}
	p.wg.Wait()
}

// pause waits for a time with a mean; false = ctx ended first.
func pause(ctx context.Context, r *rand.Rand, mean time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(r.ExpFloat64() * float64(mean))):
		return true
	}
}

// until waits for a condition.
func until(ctx context.Context, most time.Duration, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func (p *people) drop(ctx context.Context) {
	r := p.dice("drop", 0)
	for pause(ctx, r, p.load.Drops) {
		p.w.Clients[r.IntN(len(p.w.Clients))].Drop()
	}
}
