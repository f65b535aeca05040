package fanout

import (
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// told is what a session knows of a room out of its focus: activity up to seq, 0
// = none. If there is more by the time it is due, up to latest, it is told again.
type told struct {
	seq, latest wire.Seq
	due         time.Time
}

// due is when a room's activity is looked at again.
type due struct {
	at time.Time
	k  *Socket
	ch *cache.Channel
}

// lastActivity is the message that activityPacket made last.
type lastActivity struct {
	ch      *cache.Channel
	seq     wire.Seq
	packets Packets
}

// activity tells k that a room out of its focus has frames up to seq: at once, or
// together with what comes until the room is due.
func (s *shard) activity(k *Socket, ch *cache.Channel, seq wire.Seq) {
	f := k.extra.focus
	t, ok := f.told[ch]
	switch {
	case ok && seq > t.latest:
		t.latest = seq
		f.told[ch] = t
	case !ok && seq > f.leftAt(ch):
		if f.told == nil {
			f.told = map[*cache.Channel]told{}
		}
		s.tell(k, ch, told{latest: seq}, time.Now())
	}
}

// tell tells of t's latest, and puts the room down for later. A slow socket is
// told then (rule 12).
func (s *shard) tell(k *Socket, ch *cache.Channel, t told, now time.Time) {
	if k.pending() <= s.e.cfg.Budget {
		s.push(k, s.activityPacket(ch, t.latest, k.Codec()))
		t.seq = t.latest
	}
	t.due = now.Add(s.e.cfg.ActivityEvery)
	k.extra.focus.told[ch] = t
	s.dues = append(s.dues, due{t.due, k, ch})
}

// tellDue tells of what came to rooms that are due, and forgets the others of
// them.
func (s *shard) tellDue(now time.Time) {
	for len(s.dues) > 0 && !now.Before(s.dues[0].at) {
		d := s.dues[0]
		s.dues[0] = due{}
		s.dues = s.dues[1:]
		if d.k.extra == nil || d.k.extra.focus == nil {
			continue
		}
		f := d.k.extra.focus
		switch t, ok := f.told[d.ch]; {
		case !ok || !t.due.Equal(d.at): // the focus has changed meanwhile
		case t.latest > t.seq:
			s.tell(d.k, d.ch, t, now)
		default:
			if delete(f.told, d.ch); len(f.told) == 0 {
				f.told = nil
			}
		}
	}
	if len(s.dues) == 0 {
		s.dues = nil
	}
}

// activityPacket is the same for all who are told the same, mostly one after the
// other.
func (s *shard) activityPacket(ch *cache.Channel, seq wire.Seq, c wire.Codec) []byte {
	m := &s.active
	if m.ch != ch || m.seq != seq {
		m.ch, m.seq = ch, seq
		m.packets, _ = Encode(wire.Activity{T: wire.TActivity, Ch: ch.Name, P: ch.P, Seq: seq}) // has a form in all codecs
	}
	return m.packets[c]
}

// look tells of the activity of a room that was before this shard could see it:
// since k left the room, or was there last. If the cache can't tell, k is back
// when it was filled.
func (s *shard) look(k *Socket, ch *cache.Channel) {
	f := k.extra.focus
	after, again := f.unsure[ch]
	if !again {
		after = f.leftAt(ch)
	}
	last, at, known := ch.Moved(after)
	if !known {
		if f.unsure == nil {
			f.unsure = map[*cache.Channel]wire.Seq{}
		}
		f.unsure[ch] = at
		s.lack(k, ch, at)
		return
	}
	if delete(f.unsure, ch); len(f.unsure) == 0 {
		f.unsure = nil
	}
	if last > 0 {
		s.activity(k, ch, last)
	}
}

// lookAround is look for all of k's rooms of log p that are out of its focus.
func (s *shard) lookAround(k *Socket, p wire.LogID) {
	for ch := range s.numbers.Of(k.user.rooms, p) {
		if k.hides(ch) {
			s.look(k, ch)
		}
	}
}

// lookAgain is look for the rooms that it is waiting for.
func (s *shard) lookAgain(k *Socket) {
	for ch := range k.extra.focus.unsure {
		s.look(k, ch)
	}
}
