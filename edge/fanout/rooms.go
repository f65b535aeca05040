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

// Rooms are the channels in list, whose order doesn't matter, held once. It
// isn't kept.
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
	var bytes [64]byte
	packed, last := bytes[:0], number(0)
	for _, n := range numbers {
		packed = appendNumber(packed, &last, n)
	}
	r.list = string(packed)
	return r
}

// Hold is r, held once more.
func (t *Numbers) Hold(r Rooms) Rooms {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := 0, number(0); i < len(r.list); {
		i, n = r.next(i, n)
		t.lists[n]++
	}
	return r
}

// Release gives back what Rooms, Hold, With or Without gave. Nothing may be done
// with r by whoever held it.
func (t *Numbers) Release(r Rooms) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := 0, number(0); i < len(r.list); {
		i, n = r.next(i, n)
		t.giveUpLocked(n)
	}
}

// All are the channels.
func (t *Numbers) All(r Rooms) iter.Seq[*cache.Channel] {
	return func(yield func(*cache.Channel) bool) {
		if r.inbox != nil && !yield(r.inbox) {
			return
		}
		for i, n := 0, number(0); i < len(r.list); {
			if i, n = r.next(i, n); !yield(t.channel(n)) {
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
		for i, n := 0, number(0); i < len(r.list); {
			if i, n = r.next(i, n); t.log(n) == p && !yield(t.channel(n)) {
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
	var space [64]byte
	list, last := space[:0], number(0)
	done := false
	for i, n := 0, number(0); i < len(r.list); {
		if i, n = r.next(i, n); n > added && !done {
			list = appendNumber(list, &last, added)
			done = true
		}
		list = appendNumber(list, &last, n)
	}
	if !done {
		list = appendNumber(list, &last, added)
	}
	r.list = string(list)
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
	var space [64]byte
	list, last := space[:0], number(0)
	found := false
	for i, n := 0, number(0); i < len(r.list); {
		if i, n = r.next(i, n); n == gone {
			found = true
		} else {
			list = appendNumber(list, &last, n)
		}
	}
	r.list = string(list)
	if found {
		t.giveUpLocked(gone)
	}
	return r
}

// next is the number that comes after n, whose distance is at i, and where the one
// after that has its own. The first comes after 0.
func (r Rooms) next(i int, n number) (int, number) {
	// binary.Uvarint, for a string.
	d := number(r.list[i])
	for shift := 7; r.list[i] >= 0x80; shift += 7 {
		i++
		d = d&(1<<shift-1) | number(r.list[i])<<shift
	}
	return i + 1, n + d
}

// Len is how many channels there are.
func (r Rooms) Len() int {
	n := 0
	if r.inbox != nil {
		n++
	}
	for i := range len(r.list) {
		if r.list[i] < 0x80 { // a distance's last byte
			n++
		}
	}
	return n
}

// appendNumber appends a number that comes after last, and makes it the last.
func appendNumber(list []byte, last *number, n number) []byte {
	list = binary.AppendUvarint(list, uint64(n-*last))
	*last = n
	return list
}
