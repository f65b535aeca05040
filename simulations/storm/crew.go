package storm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/ledger"
	"selvedge/simulations/load"
	"selvedge/simulations/orders"
	"selvedge/wire"
)

const (
	// crewMembers is how many members a process holds, far below the usual limit of
	// 20,000 files.
	crewMembers = 5000
	// crewBurst is how many of them connect at once at the beginning.
	crewBurst = 200
	// backTime bounds the wait for all that were cut off, and stallTime how long nothing
	// may be delivered before the rest counts as lost: longer than the longest backoff.
	backTime  = 2 * time.Minute
	stallTime = 25 * time.Second
	pollTime  = 20 * time.Millisecond
)

// crewOrder is what a process of members is told; Do says which fields matter.
type crewOrder struct {
	Do string `json:"do"`

	// connect: members First to First+Count; a member's edges are URLs, beginning with
	// number Turns[its number], modulo the edges'.
	URLs  []string `json:"urls,omitempty"`
	Crowd Crowd    `json:"crowd,omitzero"`
	First int      `json:"first,omitempty"`
	Count int      `json:"count,omitempty"`
	// Movers are those below it: their edge is the first; the others stay.
	Movers int `json:"movers,omitempty"`

	Acked map[wire.Channel]int `json:"acked,omitempty"` // account: by channel, the numbers below are acknowledged
}

func (o crewOrder) String() string { return "members: " + o.Do }

// crewWord is what answers. Times are by load.Now, in nanoseconds.
type crewWord struct {
	// back
	Trips []Trip          `json:"trips,omitempty"`
	Tries []time.Duration `json:"tries,omitempty"`
	Away  int             `json:"away"` // that are still

	// account
	Result   ledger.Result `json:"result"`
	Problems []string      `json:"problems,omitempty"`
	Late     []Lateness    `json:"late,omitempty"`
}

// MembersCommand is a process of members. It is started by Command.
type MembersCommand struct{}

// Run obeys orders until there are no more.
func (*MembersCommand) Run(ctx context.Context, stdio *config.IO) error {
	c := &crew{record: newRecord(func() time.Duration { return time.Duration(load.Now()) })}
	members, leave := context.WithCancel(ctx)
	c.ctx = members
	defer c.running.Wait()
	defer leave()
	return orders.Obey(ctx, stdio.Stdin, stdio.Stdout, c.obey)
}

// crew are the members of this process.
type crew struct {
	*record
	ctx     context.Context // of the members
	running sync.WaitGroup
	movers  int // of this process's members
}

func (c *crew) obey(ctx context.Context, o crewOrder) (w crewWord, err error) {
	switch o.Do {
	case "connect":
		return w, c.connect(ctx, o)
	case "clear":
		c.clear()
		return w, nil
	case "back":
		err = c.back(ctx)
		w.Trips, w.Tries = c.journeys()
		_, w.Away, _ = c.state()
		return w, err
	case "account":
		for ch, n := range o.Acked {
			for i := range n {
				c.book.Acknowledged(ch, i)
			}
		}
		err = c.settle(ctx)
		w.Result, w.Problems, w.Late = c.book.Result(), c.book.Problems(10), c.late
		return w, err
	}
	return w, fmt.Errorf("unknown order %q", o.Do)
}

// connect starts members, some at once, and returns when all were welcome.
func (c *crew) connect(ctx context.Context, o crewOrder) error {
	for i := o.First; i < o.First+o.Count; i++ {
		expects(c.book, o.Crowd, i)
		first := 0
		if i >= o.Movers {
			first = 1 + i%(len(o.URLs)-1)
		} else {
			c.movers++
		}
		urls := turned(o.URLs, first)
		if first == 0 { // half of the movers know the siblings in another order
			urls = append(urls[:1:1], turned(urls[1:], i)...)
		}
		m, err := newMember(c.record, i, urls, nil)
		if err != nil {
			return err
		}
		m.stays = i >= o.Movers
		c.mu.Lock()
		c.members = append(c.members, m)
		c.mu.Unlock()
		c.running.Go(func() { m.run(c.ctx) })
		if n := len(c.members); n%crewBurst == 0 || i == o.First+o.Count-1 {
			if err := c.until(ctx, "all members are welcome", func() bool { welcomed, _, _ := c.state(); return welcomed == n }); err != nil {
				return err
			}
		}
	}
	return nil
}

// back waits until every mover has lost its connection, and has another.
func (c *crew) back(ctx context.Context) error {
	return c.until(ctx, "all members are back", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.returned >= c.movers && c.away == 0
	})
}

func (c *crew) until(ctx context.Context, what string, is func() bool) error {
	for end := time.Now().Add(backTime); !is(); {
		if time.Now().After(end) {
			welcomed, away, _ := c.state()
			return fmt.Errorf("not within %v: %s; of %d members %d were welcome and %d are away", backTime, what, len(c.members), welcomed, away)
		}
		if err := wait(ctx, pollTime); err != nil {
			return err
		}
	}
	return c.sound()
}

// settle waits until everything acknowledged is delivered, or nothing more comes.
func (c *crew) settle(ctx context.Context) error {
	_, _, had := c.state()
	for moved := time.Now(); c.book.Missing() > 0 && time.Since(moved) < stallTime; {
		if err := wait(ctx, 10*pollTime); err != nil {
			return err
		}
		if _, _, n := c.state(); n != had {
			had, moved = n, time.Now()
		}
	}
	return c.sound()
}
