package fanout

import (
	"slices"
	"sync"
	"sync/atomic"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Numbers gives numbers to the channels of rooms, so that a user's list of them
// takes a byte or two for each, and has nothing in it that the collector must
// follow: there is one such list for each user, and it was the largest part of
// what an idle session costs. It is safe for concurrent use.
//
// A number stays with its channel as long as any list has it, wherever that is:
// with the session manager, in a shard, or in a shard's mail. Whoever keeps a list
// therefore holds it (Hold, Release), and a number is given to another channel only
// when the last list with it was released. A list that nobody releases costs its
// numbers, not their truth.
type Numbers struct {
	logs  number                  // fixed
	pages atomic.Pointer[[]*page] // written under mu; only appended to

	mu    sync.Mutex
	of    map[*cache.Channel]number // guarded by mu
	lists []lists                   // guarded by mu: by number
	free  [][]number                // guarded by mu: by log
	next  []number                  // guarded by mu: by log, the first that was never used
}

// number is a room's: it is congruent to its log's, modulo the number of logs.
type number uint32

// lists is how many lists have a number; a user's is two, if it has a socket.
type lists int32

// page are the channels of numbers that follow each other. What a list has may be
// read without the lock: it doesn't change.
type page [pageSize]*cache.Channel

const pageSize = 512

// NewNumbers is for channels of so many logs.
func NewNumbers(logs int) *Numbers {
	t := &Numbers{
		logs: number(logs), of: map[*cache.Channel]number{},
		free: make([][]number, logs), next: make([]number, logs),
	}
	for p := range t.next {
		t.next[p] = number(p)
	}
	t.pages.Store(new([]*page))
	return t
}

// Len is how many channels have a number.
func (t *Numbers) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.of)
}

// channel is the one with a number. Whoever asks holds a list with it.
func (t *Numbers) channel(n number) *cache.Channel {
	return (*t.pages.Load())[n/pageSize][n%pageSize]
}

// log is the log of a number's channel.
func (t *Numbers) log(n number) wire.LogID { return wire.LogID(n % t.logs) }

// takeLocked is the number of ch, for one list more.
func (t *Numbers) takeLocked(ch *cache.Channel) number {
	n, ok := t.of[ch]
	if !ok {
		n = t.giveLocked(ch)
		t.of[ch] = n
	}
	t.lists[n]++
	return n
}

// giveLocked gives ch a number that nobody has.
func (t *Numbers) giveLocked(ch *cache.Channel) number {
	var n number
	if free := t.free[ch.P]; len(free) > 0 {
		n, t.free[ch.P] = free[len(free)-1], free[:len(free)-1]
	} else {
		n = t.next[ch.P]
		t.next[ch.P] += t.logs
	}
	pages := *t.pages.Load()
	for int(n/pageSize) >= len(pages) {
		// A copy: others read the old one meanwhile.
		pages = append(slices.Clip(pages), new(page))
		t.pages.Store(&pages)
		t.lists = append(t.lists, make([]lists, pageSize)...)
	}
	pages[n/pageSize][n%pageSize] = ch
	return n
}

// giveUpLocked is for one list less.
func (t *Numbers) giveUpLocked(n number) {
	if t.lists[n]--; t.lists[n] > 0 {
		return
	}
	if t.lists[n] < 0 {
		panic("fanout: a list of rooms was released twice")
	}
	slot := &(*t.pages.Load())[n/pageSize][n%pageSize]
	delete(t.of, *slot)
	*slot = nil
	t.free[t.log(n)] = append(t.free[t.log(n)], n)
}
