package fanout

import (
	"encoding/binary"
	"iter"
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Rooms are the channels of a user: its rooms and its inbox. They never change, so
// the session manager and the shards share one list. Numbers knows what is in it.
// The zero value has none.
type Rooms struct {
	inbox *cache.Channel
	// list are the numbers of the rooms in ascending order, each as its distance from
	// the one before, in a varint. It is a string as that is smaller than a slice.
	list string
}

// Rooms are the channels in list, whose order doesn't matter, held once. list is
// taken over.
func (t *Numbers) Rooms(list []*cache.Channel) (r Rooms) {
	var space [32]number
	numbers := space[:0]
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ch := range list {
		if _, inbox := ch.Name.Inbox(); inbox {
			r.inbox = ch
			continue
		}
		numbers = append(numbers, t.takeLocked(ch))
	}
	slices.Sort(numbers)
	r.list = pack(slices.Values(numbers))
	return r
}

// Hold is r, held once more.
func (t *Numbers) Hold(r Rooms) Rooms {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range r.numbers() {
		t.lists[n]++
	}
	return r
}

// Release gives back what Rooms, Hold, With or Without gave. Nothing may be done
// with r by whoever held it.
func (t *Numbers) Release(r Rooms) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range r.numbers() {
		t.giveUpLocked(n)
	}
}

// All are the channels.
func (t *Numbers) All(r Rooms) iter.Seq[*cache.Channel] {
	return func(yield func(*cache.Channel) bool) {
		if r.inbox != nil && !yield(r.inbox) {
			return
		}
		for n := range r.numbers() {
			if !yield(t.channel(n)) {
				return
			}
		}
	}
}

// Of are the channels in log p.
func (t *Numbers) Of(r Rooms, p wire.LogID) iter.Seq[*cache.Channel] {
	return func(yield func(*cache.Channel) bool) {
		if r.inbox != nil && r.inbox.P == p && !yield(r.inbox) {
			return
		}
		for n := range r.numbers() {
			if t.log(n) == p && !yield(t.channel(n)) {
				return
			}
		}
	}
}

// Has reports whether ch is one of them.
func (t *Numbers) Has(r Rooms, ch *cache.Channel) bool {
	if ch == r.inbox {
		return true
	}
	if !isRoom(ch) {
		return false
	}
	for c := range t.Of(r, ch.P) {
		if c == ch {
			return true
		}
	}
	return false
}

// With is r and ch, which is not in r, held as r was: r is released by that.
func (t *Numbers) With(r Rooms, ch *cache.Channel) Rooms {
	if _, inbox := ch.Name.Inbox(); inbox {
		r.inbox = ch
		return r
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	added := t.takeLocked(ch)
	r.list = pack(func(yield func(number) bool) {
		done := false
		for n := range r.numbers() {
			if !done && n > added {
				if done = true; !yield(added) {
					return
				}
			}
			if !yield(n) {
				return
			}
		}
		if !done {
			yield(added)
		}
	})
	return r
}

// Without is r but for ch, held as r was: r is released by that.
func (t *Numbers) Without(r Rooms, ch *cache.Channel) Rooms {
	if ch == r.inbox {
		r.inbox = nil
		return r
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	gone, ok := t.of[ch]
	if !ok {
		return r
	}
	found := false
	r.list = pack(func(yield func(number) bool) {
		for n := range r.numbers() {
			if n == gone {
				found = true
			} else if !yield(n) {
				return
			}
		}
	})
	if found {
		t.giveUpLocked(gone)
	}
	return r
}

// numbers are the rooms' numbers, ascending.
func (r Rooms) numbers() iter.Seq[number] {
	return func(yield func(number) bool) {
		// binary.Uvarint, written out, for a string.
		n, list := number(0), r.list
		for i := 0; i < len(list); i++ {
			d := number(list[i] & 0x7f)
			for shift := 7; list[i] >= 0x80; shift += 7 {
				i++
				d |= number(list[i]&0x7f) << shift
			}
			if n += d; !yield(n) {
				return
			}
		}
	}
}

// pack is a list of ascending numbers.
func pack(numbers iter.Seq[number]) string {
	var space [64]byte
	b, last := space[:0], number(0)
	for n := range numbers {
		b = binary.AppendUvarint(b, uint64(n-last))
		last = n
	}
	return string(b)
}

// Len is how many channels there are.
func (r Rooms) Len() int {
	n := 0
	if r.inbox != nil {
		n++
	}
	for range r.numbers() {
		n++
	}
	return n
}
