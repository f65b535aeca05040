package world

import (
	"context"
	"math/rand/v2"
	"time"

	"selvedge/wire"
)

// churn has members come and go. Each change runs beside the others; there is
// one at a time of a client and a channel.
func (p *people) churn(ctx context.Context) {
	r := p.dice("churn", 0)
	for pause(ctx, r, p.load.Churn) {
		who, i := r.IntN(p.load.Users), r.IntN(p.channels())
		if p.owner(i) == who {
			continue
		}
		at := seat{who, p.channel(i)}
		p.mu.Lock()
		was, free := p.in[at], !p.busy[at]
		p.busy[at] = true
		p.mu.Unlock()
		if !free {
			continue
		}
		own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		p.wg.Go(func() {
			err := p.change(ctx, at, was, own)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.in[at], p.busy[at] = !was && err == nil, err != nil
		})
	}
}

// change has a client join or leave. One whose outcome is unknown, and that may
// still be done at any time, is the last at this seat; nothing is promised there
// any more.
func (p *people) change(ctx context.Context, at seat, in bool, r *rand.Rand) error {
	ctx = context.WithoutCancel(ctx)
	if !at.ch.IsTopic() {
		limited, cancel := context.WithTimeout(ctx, changeTime)
		defer cancel()
		ctx = limited
	}
	c := p.w.Clients[at.client]
	user := string(c.User)
	c.log.Debug("asks for a change", "ch", at.ch, "leave", in)
	defer c.log.Debug("has an answer", "ch", at.ch, "leave", in)
	if in {
		p.w.Book.Leaving(user, at.ch)
		return p.leave(ctx, c, at.ch, r)
	}
	if r.IntN(2) == 0 { // in the middle of what comes back
		after := time.Duration(r.Int64N(int64(dropWithin)))
		p.wg.Go(func() {
			<-time.After(after)
			c.Drop()
		})
	}
	err := p.join(ctx, c, at.ch, r)
	if err != nil {
		p.w.Book.Leaving(user, at.ch)
	}
	return err
}

func (p *people) leave(ctx context.Context, c *Client, ch wire.Channel, r *rand.Rand) error {
	if ch.IsTopic() {
		return c.Unsubscribe(ctx, ch)
	}
	return p.w.API.ChangeMembers(ctx, r.Int(), roomID(ch), nil, []wire.UserID{c.User})
}

// join has a client join. To a topic that it has had it comes back where it
// left.
func (p *people) join(ctx context.Context, c *Client, ch wire.Channel, r *rand.Rand) error {
	user := string(c.User)
	if !ch.IsTopic() {
		p.w.Book.Joining(user, ch)
		err := p.w.API.ChangeMembers(ctx, r.Int(), roomID(ch), []wire.UserID{c.User}, nil)
		if err == nil {
			p.w.Book.Joined(user, ch)
		}
		return err
	}
	n, seq, ok := c.Last(ch)
	if !ok {
		// From where the client's edge stands, which may be far behind.
		p.w.Book.Subscribing(user, ch)
		placed, err := c.Subscribe(ctx, ch, nil)
		if err == nil {
			c.log.Debug("is subscribed", "ch", ch, "from", placed.Seq)
			p.w.Book.JoinedAt(user, ch, placed.Seq)
		}
		return err
	}
	p.w.Book.JoiningAfter(user, ch, n)
	_, err := c.Subscribe(ctx, ch, &seq)
	if err == nil {
		p.w.Book.Joined(user, ch)
	}
	return err
}
