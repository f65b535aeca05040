package session

import (
	"golang.org/x/time/rate"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/objects"
	"selvedge/wire"
)

// Referred are the users that a frame names, as far as they are at hand; those
// that aren't follow when they are (rule 14). It is called for each frame that
// names some, on the shards' goroutines.
//
// Whoever gets a message may see its author. Who is mentioned is shown if that is
// a member of the message's room: else a mention would show a stranger to all who
// are in it.
func (m *Manager) Referred(dst []fanout.Object, f *cache.Frame) []fanout.Object {
	post, err := f.Post()
	if err != nil {
		return dst
	}
	if wire.CheckID(post.From) == nil {
		dst = m.refer(dst, f.Channel, post.From)
	}
	room, ok := f.Channel.Name.Room()
	if !ok {
		return dst
	}
	for _, user := range post.Refs {
		switch {
		case user == post.From || wire.CheckID(user) != nil:
		case m.rosters.Known(wire.UserID(user), func(r wire.RoomID) bool { return r == room }):
			dst = m.refer(dst, f.Channel, user)
		default:
			m.mention(f.Channel, room, user)
		}
	}
	return dst
}

// refer adds a user that is at hand; another follows.
func (m *Manager) refer(dst []fanout.Object, ch *cache.Channel, user string) []fanout.Object {
	o, ok := m.objects.Fetch(userPrefix+user, func(o *objects.Object) {
		if o.Exists() {
			m.engine.Object(ch, o)
		}
	})
	if ok && o.Exists() {
		dst = append(dst, o)
	}
	return dst
}

const (
	// mentionRate and mentionBurst bound the users that are looked up because a
	// message mentions them: one who isn't in the room is looked up each time.
	mentionRate  = 200 // per second
	mentionBurst = 2 * wire.MaxRefs
)

func newMentions() *rate.Limiter { return rate.NewLimiter(mentionRate, mentionBurst) }

// mention shows a user to a room if that turns out to be a member.
func (m *Manager) mention(ch *cache.Channel, room wire.RoomID, user string) {
	if !m.mentions.Allow() {
		return // clients can ask for it
	}
	m.spawn(func() {
		ctx, cancel := m.context()
		defer cancel()
		if member, err := m.rosters.Among(ctx, room, wire.UserID(user)); err != nil || !member {
			return
		}
		for _, o := range m.refer(nil, ch, user) {
			m.engine.Object(ch, o)
		}
	})
}
