package ledger

import (
	"fmt"
	"sync"

	"selvedge/wire"
)

// Ledger holds one run's account. Every channel's messages are numbered from 0
// by their publisher, in order. It is safe for concurrent use.
type Ledger struct {
	mu       sync.Mutex
	channels map[wire.Channel]*account // guarded by mu
}

// account is one channel's.
type account struct {
	acked   []bool                 // by number: acknowledged to the publisher
	readers map[string]*readerBook // by client
}

// readerBook is what one client saw of one channel.
type readerBook struct {
	seen       []uint16 // by number: how often
	last       int      // the number seen last, -1 before the first
	outOfOrder int
}

// New is an empty ledger.
func New() *Ledger { return &Ledger{channels: map[wire.Channel]*account{}} }

func (l *Ledger) accountLocked(ch wire.Channel) *account {
	a := l.channels[ch]
	if a == nil {
		a = &account{readers: map[string]*readerBook{}}
		l.channels[ch] = a
	}
	return a
}

// Expect says that a client is to see everything of a channel.
func (l *Ledger) Expect(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accountLocked(ch).readers[client] = &readerBook{last: -1}
}

// Acknowledged says that number n of a channel was acknowledged.
func (l *Ledger) Acknowledged(ch wire.Channel, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	for len(a.acked) <= n {
		a.acked = append(a.acked, false)
	}
	a.acked[n] = true
}

// Saw says that a client received number n of a channel. It reports whether
// the client was to receive the channel at all.
func (l *Ledger) Saw(client string, ch wire.Channel, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.accountLocked(ch).readers[client]
	if b == nil {
		return false
	}
	for len(b.seen) <= n {
		b.seen = append(b.seen, 0)
	}
	b.seen[n]++
	if b.seen[n] == 1 {
		if n < b.last {
			b.outOfOrder++
		}
		b.last = n
	}
	return true
}

// Result is the account of a run.
type Result struct {
	Acknowledged int `json:"acknowledged"` // messages
	Expected     int `json:"expected"`     // deliveries: each acknowledged message to each of its readers
	Delivered    int `json:"delivered"`    // of these
	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	OutOfOrder   int `json:"out_of_order"`
	// Unacknowledged were delivered though nobody had the acknowledgement:
	// allowed, at most once.
	Unacknowledged int `json:"unacknowledged"`
}

// Kept reports whether every promise was.
func (r Result) Kept() bool { return r.Lost+r.Duplicated+r.OutOfOrder == 0 }

func (r Result) String() string {
	return fmt.Sprintf("%d acknowledged, %d of %d delivered, %d lost, %d duplicated, %d out of order",
		r.Acknowledged, r.Delivered, r.Expected, r.Lost, r.Duplicated, r.OutOfOrder)
}

// Result is the account so far.
func (l *Ledger) Result() Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r Result
	for _, a := range l.channels {
		acked := 0
		for _, ok := range a.acked {
			if ok {
				acked++
			}
		}
		r.Acknowledged += acked
		r.Expected += acked * len(a.readers)
		for _, b := range a.readers {
			a.add(&r, b)
		}
	}
	return r
}

func (a *account) add(r *Result, b *readerBook) {
	r.OutOfOrder += b.outOfOrder
	for n := range max(len(a.acked), len(b.seen)) {
		acked := n < len(a.acked) && a.acked[n]
		var times int
		if n < len(b.seen) {
			times = int(b.seen[n])
		}
		switch {
		case acked && times == 0:
			r.Lost++
		case acked:
			r.Delivered++
		case times > 0:
			r.Unacknowledged++
		}
		r.Duplicated += max(times-1, 0)
	}
}
