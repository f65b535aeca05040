package session

import (
	"cmp"
	"strings"
	"sync"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// tellings are what the core has last told of users in more rooms than a welcome
// describes. It is safe for concurrent use.
type tellings struct {
	mu sync.Mutex
	of map[*user]telling // guarded by mu
}

// telling bounds what was not told of: the other rooms that the user was in.
type telling struct {
	// at is where the logs stood here when the core was asked. What came later came
	// by here, if the room is held from there on.
	at []wire.Seq
	// least is the last of the rooms that were told of, in the order of welcomes. The
	// others came after it then.
	least active
}

// active is a room and its last frame, with its time in Unix ms.
type active struct {
	name wire.Channel
	seq  wire.Seq
	ts   int64
}

// before is negative if a comes before b in a welcome: the most recently active first,
// and those of the same millisecond in order of their ids, as at the core.
func (a active) before(b active) int {
	return cmp.Or(cmp.Compare(b.ts, a.ts), strings.Compare(string(a.name), string(b.name)))
}

func newTellings() tellings { return tellings{of: map[*user]telling{}} }

func (t *tellings) keep(u *user, said telling) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[u] = said
}

// forget is for a user who goes.
func (t *tellings) forget(u *user) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, u)
}

func (t *tellings) find(u *user) telling {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of[u]
}

// bounds reports whether a room that was not told of has had no frame since: its
// place is after least.
func (t telling) bounds(ch *cache.Channel) bool {
	floor, live := ch.Floor()
	return live && int(ch.P) < len(t.at) && floor <= t.at[ch.P]
}
