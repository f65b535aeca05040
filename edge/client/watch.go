package client

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"selvedge/wire"
)

const (
	// maxKeyBytes is what the keys of one get may take: with the rest of it they
	// stay below wire.MaxClientMessage.
	maxKeyBytes = 48 << 10
	// watchAgain is when an edge is asked again that could not answer for what is
	// watched.
	watchAgain = 5 * time.Second
)

// Object is the newest version known of a document, such as "user:1" or "room:x":
// of what welcome, joined, replies and objects told. known is false if it was never
// told of, is gone, or had to make room. Safe for concurrent use, and inside events.
func (c *Client) Object(key string) (o wire.Object, known bool) {
	o, known = c.objects.get(key)
	return o, known && o.Data.IsSet()
}

// Get reads documents of users and rooms; keys are like "user:1", "room:x". There
// may be any number of them. What the user may not see is Missing, too.
func (c *Client) Get(ctx context.Context, keys ...string) (wire.Objects, error) {
	return c.get(ctx, keys, false)
}

// Watch is Get, and has later versions come by themselves, over connections, until
// Unwatch: Events.Object tells of each. An edge takes 1,000 of a session.
func (c *Client) Watch(ctx context.Context, keys ...string) (wire.Objects, error) {
	added := c.objects.watch(keys)
	all, err := c.get(ctx, keys, true)
	if err != nil {
		c.objects.unwatch(added)
	}
	return all, err
}

// Unwatch ends Watch of these keys.
func (c *Client) Unwatch(ctx context.Context, keys ...string) error {
	c.objects.unwatch(keys)
	for chunk := range chunks(keys) {
		if _, err := ask[wire.Reply](ctx, c, &wire.ClientMessage{T: wire.TUnwatch, Objects: chunk}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Focus has frames come of these rooms only, beside topics and the inbox; of the
// others Events.Activity tells that there are some. nil = of all rooms. It is kept
// over connections. At most wire.MaxFocus rooms.
func (c *Client) Focus(ctx context.Context, rooms []wire.RoomID) error {
	m := &wire.ClientMessage{T: wire.TFocus}
	var err error
	if m.Rooms, err = roomList(rooms); err != nil {
		return err
	}
	rooms = slices.Clone(rooms)
	_, err = ask(ctx, c, m, func(r *wire.Focused) { c.cursor.Focus(rooms, r.Late) })
	return err
}

// Search finds users by the beginning of a name or an id: members of room, or, if
// that is "", of any of the user's rooms. The best match comes first. limit 0 = 20.
func (c *Client) Search(ctx context.Context, room wire.RoomID, prefix string, limit int) (wire.Users, error) {
	m := &wire.ClientMessage{T: wire.TSearch, Room: room, Prefix: prefix, Limit: limit}
	return ask(ctx, c, m, func(r *wire.Users) {
		for i := range r.Users {
			c.put(userKey(r.Users[i].ID), r.Users[i].V, r.Users[i].Data)
		}
	})
}

// get asks for as many pages as it takes.
func (c *Client) get(ctx context.Context, keys []string, watch bool) (wire.Objects, error) {
	all := wire.Objects{T: wire.TReply, Objects: map[string]wire.Object{}}
	for chunk := range chunks(keys) {
		for rest := chunk; len(rest) > 0; {
			r, err := ask(ctx, c, getOf(rest, watch), func(r *wire.Objects) {
				if watch {
					c.objects.agree(rest)
				}
				c.learn(r)
			})
			if err != nil {
				return wire.Objects{}, err
			}
			maps.Copy(all.Objects, r.Objects)
			all.Missing = append(all.Missing, r.Missing...)
			all.Stale = all.Stale || r.Stale
			rest = behind(rest, r.Next)
		}
	}
	return all, nil
}

func getOf(keys []string, watch bool) *wire.ClientMessage {
	return &wire.ClientMessage{T: wire.TGet, Objects: keys, Watch: watch}
}

// behind are the keys from next on, which had no room in a reply.
func behind(keys []string, next string) []string {
	if i := slices.Index(keys, next); i > 0 {
		return keys[i:]
	}
	return nil // all was there; a next that is the first would never end
}

// chunks are keys in portions that an edge takes.
func chunks(keys []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(keys) > 0 {
			n, size := 0, 0
			for n < len(keys) && n < wire.MaxPage && (n == 0 || size+len(keys[n])+4 <= maxKeyBytes) {
				size += len(keys[n]) + 4
				n++
			}
			if !yield(keys[:n:n]) {
				return
			}
			keys = keys[n:]
		}
	}
}

// roomList is what a message says of a focus: nothing for all rooms.
func roomList(rooms []wire.RoomID) (wire.Data, error) {
	if rooms == nil {
		return nil, nil
	}
	text, err := json.Marshal(rooms)
	if err != nil {
		return nil, err
	}
	list, err := wire.ParseJSON(text)
	if err != nil {
		return nil, err
	}
	_, _, err = wire.RoomList(list)
	return list, err
}

// watchAll asks a new edge for what is watched. If it can't answer now, it is asked
// again in a while.
func (s *session) watchAll(keys []string) {
	for chunk := range chunks(keys) {
		err := s.requests.post(s.codec, getOf(chunk, true), func(answer []byte, err error) {
			var r wire.Objects
			if err == nil {
				err = s.codec.Decode(answer, &r)
			}
			if err != nil {
				s.log.Warn("client: what is watched can't be read now", "objects", len(chunk), "error", err)
				select {
				case s.again <- struct{}{}:
				default: // it will be
				}
				return
			}
			s.learn(&r)
			s.watchAll(behind(chunk, r.Next))
		})
		if err != nil {
			s.log.Error("client: what is watched can't be asked for", "error", err)
		}
	}
}

// learn takes what a get brought.
func (c *Client) learn(r *wire.Objects) {
	for _, key := range slices.Sorted(maps.Keys(r.Objects)) {
		c.put(key, r.Objects[key].V, r.Objects[key].Data)
	}
	if r.Stale {
		return // it may be from before it was there
	}
	for _, key := range r.Missing {
		if o, isNew := c.objects.lose(key); isNew {
			c.changed(key, o)
		}
	}
}

// learnWelcome takes what a welcome brought; tell is for when it was told itself.
func (c *Client) learnWelcome(w *wire.Welcome) (tell func()) {
	news := map[string]wire.Object{}
	put := func(key string, o wire.Object) {
		if c.objects.put(key, o) {
			news[key] = o
		}
	}
	put(userKey(w.User.ID), wire.Object{V: w.User.V, Data: w.User.Data})
	for i := range w.Rooms {
		put(roomKey(w.Rooms[i].ID), wire.Object{V: w.Rooms[i].V, Data: w.Rooms[i].Data})
	}
	return func() {
		for _, key := range slices.Sorted(maps.Keys(news)) {
			c.changed(key, news[key])
		}
	}
}

func (c *Client) learnRooms(rooms []wire.RoomInfo) {
	for i := range rooms {
		c.put(roomKey(rooms[i].ID), rooms[i].V, rooms[i].Data)
	}
}

// put takes a version of a document, and tells if it is a newer one. Like all that
// learns, it is for Run's goroutine.
func (c *Client) put(key string, v wire.Seq, data wire.Data) {
	if o := (wire.Object{V: v, Data: data}); c.objects.put(key, o) {
		c.changed(key, o)
	}
}

func (c *Client) changed(key string, o wire.Object) {
	if on := c.cfg.Events.Object; on != nil {
		on(&wire.ObjectMoved{T: wire.TObject, Key: key, V: o.V, Data: o.Data})
	}
}
