package fanout

import (
	"iter"
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// focus is what a session has that gets frames of some of its rooms only
// (rule 15). Topics and the inbox are no matter of focus.
type focus struct {
	all    bool             // all rooms are shown: it ends when the last of them has caught up
	show   []*cache.Channel // else the rooms that are shown, or will be when they are joined again
	absent []wire.Channel   // and others that will be when they are joined
	// base is by log where the rooms were left that are not shown, but for those
	// in left. Those of left that are shown have a position of their own, and wait
	// for their turn to be late channels.
	base []wire.Seq
	left map[*cache.Channel]wire.Seq
	// told are the rooms that are not told again for now; nil while there are none.
	told map[*cache.Channel]told
	// unsure are the rooms of which the cache can't tell whether they have frames
	// after the position where they were left: there are none up to this one. nil
	// while there are none.
	unsure map[*cache.Channel]wire.Seq
}

// maxLateRooms is how many of a session's rooms are late channels at a time, if
// it has a focus: each delivery looks through them.
const maxLateRooms = 32

func isRoom(ch *cache.Channel) bool {
	_, room := ch.Name.Room()
	return room
}

func newFocus(show []*cache.Channel, absent []wire.Channel, base []wire.Seq) *focus {
	return &focus{show: show, absent: absent, base: base, left: map[*cache.Channel]wire.Seq{}}
}

// shows reports whether a room's frames are wanted.
func (f *focus) shows(ch *cache.Channel) bool { return f.all || slices.Contains(f.show, ch) }

// leftAt is up to where a room had come when it was left.
func (f *focus) leftAt(ch *cache.Channel) wire.Seq {
	if at, ok := f.left[ch]; ok {
		return at
	}
	return f.base[ch.P]
}

// forget drops what is known of a room.
func (f *focus) forget(ch *cache.Channel) {
	delete(f.left, ch)
	delete(f.told, ch)
	delete(f.unsure, ch)
}

// renew is for a room that is joined: it may be one that is to be shown then, or
// another channel of a name that is shown.
func (f *focus) renew(ch *cache.Channel) {
	for i := range f.show {
		if f.show[i].Name == ch.Name {
			f.show[i] = ch
		}
	}
	if i := slices.Index(f.absent, ch.Name); i >= 0 {
		f.absent = slices.Delete(f.absent, i, i+1)
		f.show = append(f.show, ch)
	}
}

// owed are the rooms that are shown, and wait for their turn, with where they
// were left. The loop's body may take out the one that it is given.
func (f *focus) owed() iter.Seq2[*cache.Channel, wire.Seq] {
	return func(yield func(*cache.Channel, wire.Seq) bool) {
		if f.all {
			for ch, at := range f.left {
				if !yield(ch, at) {
					return
				}
			}
			return
		}
		for _, ch := range f.show {
			if at, ok := f.left[ch]; ok && !yield(ch, at) {
				return
			}
		}
	}
}

// settled reports whether no room is owed.
func (f *focus) settled() bool {
	for range f.owed() {
		return false
	}
	return true
}

// skips reports whether k's log passes over the frames of ch: it is a room that
// is not shown, or not yet.
func (k *Socket) skips(ch *cache.Channel) bool {
	if k.extra == nil || k.extra.focus == nil || !isRoom(ch) {
		return false
	}
	f := k.extra.focus
	if !f.shows(ch) {
		return true
	}
	_, owed := f.left[ch]
	return owed
}

// hides reports whether ch is a room out of k's focus.
func (k *Socket) hides(ch *cache.Channel) bool {
	return k.extra != nil && k.extra.focus != nil && isRoom(ch) && !k.extra.focus.shows(ch)
}

// beLate has ch come from a position on, as a late channel. A room waits for its
// focus, if k has one, and for its turn.
func (x *extra) beLate(ch *cache.Channel, at wire.Seq) {
	if x.focus != nil && isRoom(ch) {
		x.focus.left[ch] = at
		return
	}
	x.late = append(x.late, late{ch, at})
}

// catchUpFocus is the part of catching up that is for rooms out of focus, and
// back in it. k has a focus.
func (s *shard) catchUpFocus(k *Socket) (more bool) {
	s.lookAgain(k)
	return s.regain(k)
}

// regain makes rooms late that are shown and wait for that, as far as the cache
// can go on with them. more says that there are too many at a time.
func (s *shard) regain(k *Socket) (more bool) {
	x := k.extra
	f := x.focus
	free := maxLateRooms
	for _, l := range x.late {
		if isRoom(l.ch) {
			free--
		}
	}
	for ch, at := range f.owed() {
		_, live := ch.Floor()
		if _, lacks := ch.Lacks(at); lacks || !live {
			s.lack(k, ch, at)
			continue
		}
		if free--; free < 0 {
			return true
		}
		delete(f.left, ch)
		x.late = append(x.late, late{ch, at})
	}
	if f.all && len(f.left) == 0 {
		x.focus = nil
	}
	return false
}
