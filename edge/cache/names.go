package cache

import (
	"iter"
	"slices"

	"selvedge/edge/keyed"
	"selvedge/wire"
)

// names are a log's channels by name. Inboxes stand apart: there are as many as
// users, and the few rooms among them would lie in memory that is cold whenever
// a user's are looked up. A storm of newcomers does little else.
type names struct {
	shared  map[wire.Channel]*Channel
	inboxes *keyed.Set[wire.Channel, Channel]
}

func newNames() names {
	return names{
		shared:  map[wire.Channel]*Channel{},
		inboxes: keyed.New(func(ch *Channel) wire.Channel { return ch.Name }),
	}
}

func (n names) find(name wire.Channel) *Channel {
	if _, inbox := name.Inbox(); inbox {
		return n.inboxes.Get(name)
	}
	return n.shared[name]
}

func (n names) add(ch *Channel) {
	if _, inbox := ch.Name.Inbox(); inbox {
		n.inboxes.Add(ch)
	} else {
		n.shared[ch.Name] = ch
	}
}

// remove takes ch out, if it is in: it may be one of before Restart.
func (n names) remove(ch *Channel) {
	if _, inbox := ch.Name.Inbox(); inbox {
		n.inboxes.Delete(ch)
	} else if n.shared[ch.Name] == ch {
		delete(n.shared, ch.Name)
	}
}

func (n names) all() iter.Seq[*Channel] {
	return func(yield func(*Channel) bool) {
		for _, ch := range n.shared {
			if !yield(ch) {
				return
			}
		}
		for ch := range n.inboxes.All() {
			if !yield(ch) {
				return
			}
		}
	}
}

// Acquire is the channel of a name, for its user until Release. first says
// that nobody held it: its interest must be asked for.
func (c *Cache) Acquire(name wire.Channel) (ch *Channel, first bool) {
	l := c.logs[wire.LogOf(name, len(c.logs))]
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch = l.channels.find(name); ch == nil {
		ch, first = newChannel(name, l), true
		l.channels.add(ch)
	}
	ch.refs++
	return ch, first
}

// AcquireRoom is Acquire for a room's channel. It allocates nothing for a room
// that is held already: newcomers ask for little else.
func (c *Cache) AcquireRoom(id wire.RoomID) (ch *Channel, first bool) {
	var space [len(wire.RoomPrefix) + wire.MaxID]byte
	name := append(append(space[:0], wire.RoomPrefix...), id...)
	l := c.logs[wire.LogOfBytes(name, len(c.logs))]
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch = l.channels.shared[wire.Channel(name)]; ch == nil {
		ch, first = newChannel(wire.Channel(name), l), true
		l.channels.add(ch)
	}
	ch.refs++
	return ch, first
}

// Release gives a channel back. last says that nobody holds it any more: it is
// forgotten, and its interest may go.
func (c *Cache) Release(ch *Channel) (last bool) {
	l := ch.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch.refs--; ch.refs > 0 {
		return false
	}
	l.channels.remove(ch)
	ch.resetLocked()
	l.young = slices.DeleteFunc(l.young, func(c *Channel) bool { return c == ch })
	l.compactLocked()
	return true
}

// Find is the channel of a name if somebody holds it.
func (c *Cache) Find(name wire.Channel) *Channel {
	l := c.logs[wire.LogOf(name, len(c.logs))]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.channels.find(name)
}
