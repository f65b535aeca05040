package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"

	"selvedge/wire"
)

// Requests wait for an edge as long as their context lets them, and survive cut
// connections. They fail with *RequestError if the edge refuses, ErrClosed when
// Run has ended, wire.ErrTooLarge, or the context's error. All are safe for
// concurrent use, but not inside an event of the same Client.

// Page limits a listing. The zero value is the first page, of the edge's size.
type Page struct {
	After string // the Next of the page before
	Limit int
}

// Range limits a history. The zero value is the newest page.
type Range struct {
	After  wire.Seq // frames after it; 0 = not limited
	Before wire.Seq // frames before it; 0 = not limited
	Limit  int
}

// Publish publishes data to a channel, once: where the connection is cut before
// the answer, it is sent again with the same id. An empty msgID is a random one.
func (c *Client) Publish(ctx context.Context, ch wire.Channel, data wire.Data, msgID string) (wire.Placed, error) {
	if msgID == "" {
		msgID = rand.Text()
	}
	return ask[wire.Placed](ctx, c, &wire.ClientMessage{T: wire.TPublish, Ch: ch, Data: data, MsgID: msgID}, nil)
}

// Subscribe has a topic's frames delivered from now on, or from after since.
// It is kept over connections until Unsubscribe.
func (c *Client) Subscribe(ctx context.Context, ch wire.Channel, since *wire.Seq) (wire.Placed, error) {
	if err := checkTopic(ch); err != nil {
		return wire.Placed{}, err
	}
	m := &wire.ClientMessage{T: wire.TSubscribe, Ch: ch, Since: since}
	return ask(ctx, c, m, func(r *wire.Placed) {
		if c.topics[ch] && since == nil {
			return // had it already: nothing moves
		}
		from := r.Seq
		if since != nil {
			from = *since
		}
		c.topics[ch] = true
		c.cursor.Subscribed(ch, r.P, from)
	})
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, ch wire.Channel) error {
	_, err := ask(ctx, c, &wire.ClientMessage{T: wire.TUnsubscribe, Ch: ch}, func(*wire.Reply) {
		delete(c.topics, ch)
		c.cursor.Unsubscribed(ch)
	})
	return err
}

// Members lists who is in a room, in the order of ids.
func (c *Client) Members(ctx context.Context, room wire.RoomID, page Page) (wire.Members, error) {
	m := &wire.ClientMessage{T: wire.TMembers, Room: room, Limit: page.Limit}
	if err := page.set(m); err != nil {
		return wire.Members{}, err
	}
	return ask[wire.Members](ctx, c, m, nil)
}

// Rooms lists the rooms that the user is in.
func (c *Client) Rooms(ctx context.Context, page Page) (wire.Rooms, error) {
	m := &wire.ClientMessage{T: wire.TRooms, Limit: page.Limit}
	if err := page.set(m); err != nil {
		return wire.Rooms{}, err
	}
	return ask(ctx, c, m, func(r *wire.Rooms) { c.learnRooms(r.Rooms) })
}

// History reads frames of a channel, oldest first.
func (c *Client) History(ctx context.Context, ch wire.Channel, r Range) (wire.History, error) {
	m := &wire.ClientMessage{T: wire.THistory, Ch: ch, Limit: r.Limit}
	if r.Before != 0 {
		m.Before = &r.Before
	}
	if r.After != 0 {
		after, err := wire.ParseJSON(strconv.AppendUint(nil, uint64(r.After), 10))
		if err != nil {
			return wire.History{}, err
		}
		m.After = after
	}
	return ask[wire.History](ctx, c, m, nil)
}

// Signal sends what is not kept (typing, cursors): now, or not at all.
func (c *Client) Signal(ch wire.Channel, data wire.Data) error {
	payload, err := c.codec.Append(nil, &wire.ClientMessage{T: wire.TSignal, Ch: ch, Data: data})
	if err != nil {
		return err
	}
	if len(payload) > wire.MaxSignal {
		return fmt.Errorf("%w: a signal of %d bytes, an edge takes %d", wire.ErrTooLarge, len(payload), wire.MaxSignal)
	}
	return c.requests.note(payload)
}

func (p Page) set(m *wire.ClientMessage) error {
	if p.After == "" {
		return nil
	}
	text, err := json.Marshal(p.After)
	if err != nil {
		return err
	}
	m.After, err = wire.ParseJSON(text)
	return err
}

// ask decodes the answer to m. settle runs in Run's goroutine, before anything
// that the edge sent after the answer.
func ask[R any](ctx context.Context, c *Client, m *wire.ClientMessage, settle func(*R)) (R, error) {
	var reply R
	var first func([]byte) error
	if settle != nil {
		first = func(answer []byte) error {
			var early R
			if err := c.codec.Decode(answer, &early); err != nil {
				return fmt.Errorf("%w: reply to %s: %w", errDefect, m.T, err)
			}
			settle(&early)
			return nil
		}
	}
	answer, err := c.requests.ask(ctx, c.codec, m, first)
	if err != nil {
		return reply, err
	}
	if err := c.codec.Decode(answer, &reply); err != nil {
		return reply, fmt.Errorf("%w: reply to %s: %w", errDefect, m.T, err)
	}
	return reply, nil
}
