package world

import (
	"context"
	"fmt"
	"strings"
	"time"

	backend "selvedge/core/client"
	"selvedge/wire"
)

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
	n, begin := p.w.Book.Next(ch), time.Now()
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"padding":%q}`, n, strings.Repeat("x", p.load.Padding)))
	if err != nil {
		return err
	}
	id := fmt.Sprint(n)
	var seq wire.Seq
	if byClient(i) {
		seq, err = p.w.Clients[p.owner(i)].publish(ctx, ch, data, id)
	} else {
		m := backend.Message{Channel: ch, Data: data, MsgID: id}
		if p.load.Authors {
			m.From, m.Refs = string(p.author(i)), []string{"u1"}
		}
		placed, e := p.w.API.Publish(ctx, i, m)
		seq, err = placed.Seq, e
	}
	p.took(time.Since(begin), len(data), err)
	if err == nil {
		p.w.Book.AcknowledgedAt(ch, n, seq)
		p.mu.Lock()
		p.places[ch] = append(p.places[ch], landed{seq, p.w.Net.Since()})
		p.mu.Unlock()
	}
	return err
}

// author is who writes the messages of channel i: somebody who is always in it.
func (p *people) author(i int) wire.UserID { return p.w.Clients[p.owner(i)].User }

// last is where the last message of a channel is that was acknowledged before some
// time; 0 = none was. In a new epoch places count from the beginning.
func (p *people) last(ch wire.Channel, before time.Duration) (seq wire.Seq) {
	var begin time.Duration
	if lost := p.w.powerLost(); lost > 0 {
		begin = lost + onItsWay
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.places[ch] {
		if m.at >= begin && m.at < before {
			seq = m.seq
		}
	}
	return seq
}

// isIn reports whether a client is in a channel, as far as was asked for.
func (p *people) isIn(c *Client, ch wire.Channel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.w.Clients {
		if p.w.Clients[i] == c {
			return p.in[seat{i, ch}]
		}
	}
	return false
}

// took takes note of a publish.
func (p *people) took(d time.Duration, size int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest = max(p.slowest, d)
	p.bytes += int64(size)
	if err != nil {
		p.failed = append(p.failed, fmt.Errorf("after %v: %w", d, err))
	}
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
