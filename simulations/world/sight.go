package world

import (
	"encoding/json"
	"maps"

	"selvedge/edge/client"
	"selvedge/wire"
)

// sighting is what a session has seen of the state: no answer may be older.
type sighting struct {
	v    wire.Seq // of memberships, and of what the cursor says
	docs map[string]wire.Seq
}

// sights is what a client was told beside messages. Guarded by Client.mu.
type sights struct {
	sighting
	watched  []string
	activity map[wire.Channel]wire.Seq // the last that was told
	late     map[wire.Channel]wire.Seq // of the last answer to a focus
}

func newSights() sights {
	return sights{sighting: sighting{docs: map[string]wire.Seq{}}, activity: map[wire.Channel]wire.Seq{}}
}

// see adds to a client's events those by which sights are known.
func (c *Client) see(e client.Events) client.Events {
	joined, left := e.Joined, e.Left
	e.Joined = func(j *wire.Joined) { c.saw(j.V); joined(j) }
	e.Left = func(l *wire.Left) { c.saw(l.V); left(l) }
	e.Moved = func(m *wire.CursorMoved) { c.saw(m.V) }
	e.Object = func(o *wire.ObjectMoved) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sights.docs[o.Key] = max(c.sights.docs[o.Key], o.V)
	}
	e.Activity = func(a *wire.Activity) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sights.activity[a.Ch] = max(c.sights.activity[a.Ch], a.Seq)
	}
	e.Raw = func(t string, text []byte) {
		var focused wire.Focused
		if t == wire.TReply && json.Unmarshal(text, &focused) == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sights.late = focused.Late
		}
	}
	return e
}

func (c *Client) saw(v wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sights.v = max(c.sights.v, v)
}

// sighted is what the session has seen so far.
func (c *Client) sighted() sighting {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sighting{c.sights.v, maps.Clone(c.sights.docs)}
}

// forgetSightsLocked is for a new session: another edge may be behind in what it tells,
// but for what the cursor says. In a new epoch that counts from the beginning.
func (c *Client) forgetSightsLocked(w *wire.Welcome) {
	clear(c.sights.docs)
	if !w.Resumed {
		c.sights.v, c.sights.late = 0, nil
		clear(c.sights.activity)
	}
	c.sights.v = max(c.sights.v, w.Cursor.V)
}

func (c *Client) watches(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sights.watched = keys
}

// watched are the documents that the client watches.
func (c *Client) watched() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sights.watched
}

// toldOf is the last activity of a channel.
func (c *Client) toldOf(ch wire.Channel) wire.Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sights.activity[ch]
}

// lately are the late channels of the last answer to a focus.
func (c *Client) lately() map[wire.Channel]wire.Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sights.late
}
