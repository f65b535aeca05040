package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	backend "selvedge/core/client"
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
	// Slow is how many of the users take half a second for each message.
	Slow int
}

const (
	// publishTime bounds one publish, and changeTime one change of a room, tries
	// included. What a client asks for lasts as long as it takes.
	publishTime = 20 * time.Second
	changeTime  = 20 * time.Second
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
	busy map[seat]bool // guarded by mu; where a change is under way
}

// seat is a client's in a channel.
type seat struct {
	client int
	ch     wire.Channel
}

func newPeople(w *World, load Load) *people {
	return &people{w: w, load: load, seed: w.cfg.Seed, in: map[seat]bool{}, busy: map[seat]bool{}}
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
			if r.IntN(2) == 0 && u != i%p.load.Users { // one is always in, and publishes
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
		if _, err := p.w.API.PutRoom(ctx, roomID(ch), backend.Document{Data: emptyMap}); err != nil {
			return err
		}
		if _, err := p.w.API.ChangeMembers(ctx, roomID(ch), members, nil); err != nil {
			return err
		}
	}
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

func (p *people) publishSome(ctx context.Context, i int) {
	r, every := p.dice("publish", i), p.load.Every
	if i < p.load.Quiet {
		every *= quietness
	}
	for pause(ctx, r, every) {
		_ = p.publish(ctx, i) // what nobody has the acknowledgement of, may be lost
	}
}

// publish publishes the next message of channel i: one in three channels by a
// client, which has the channel for itself, the others by the backend. The
// publish is not cut short when ctx ends.
func (p *people) publish(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTime)
	defer cancel()
	ch := p.channel(i)
	n := p.w.Book.Next(ch)
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"padding":%q}`, n, strings.Repeat("x", p.load.Padding)))
	if err != nil {
		return err
	}
	id := fmt.Sprint(n)
	var seq wire.Seq
	if i%3 == 2 {
		placed, e := p.w.Clients[i%p.load.Users].Publish(ctx, ch, data, id)
		seq, err = placed.Seq, e
	} else {
		placed, e := p.w.API.Publish(ctx, backend.Message{Channel: ch, Data: data, MsgID: id})
		seq, err = placed.Seq, e
	}
	if err == nil {
		p.w.Book.AcknowledgedAt(ch, n, seq)
	}
	return err
}

// publishAll publishes one message to each channel, and tries until each was
// acknowledged.
func (p *people) publishAll(ctx context.Context) error {
	for i := range p.channels() {
		for p.publish(ctx, i) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
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
