package ledger

import (
	"sync"

	"selvedge/wire"
)

// Ledger holds one run's account. Every channel's messages are numbered from 0
// by one publisher, who publishes them one after the other. It is safe for
// concurrent use.
//
// What a client is to receive follows from when it joined and left. A join takes
// effect at some moment between its request and its answer, so what is published
// meanwhile may come or not; a leave when the client's edge learns of it. Hence
// both are told twice, and with the same channel's numbers as clock.
type Ledger struct {
	mu       sync.Mutex
	channels map[wire.Channel]*account // guarded by mu
}

// account is one channel's.
type account struct {
	begun   int              // numbers below it were handed out, or acknowledged
	acked   []bool           // by number, up to the last one: acknowledged to the publisher
	at      map[int]wire.Seq // of those acknowledged with their place
	readers map[string]*book // by client
	twice   []int            // may come once more: see PowerLoss
}

// New is an empty ledger.
func New() *Ledger { return &Ledger{channels: map[wire.Channel]*account{}} }

func (l *Ledger) accountLocked(ch wire.Channel) *account {
	a := l.channels[ch]
	if a == nil {
		a = &account{at: map[int]wire.Seq{}, readers: map[string]*book{}}
		l.channels[ch] = a
	}
	return a
}

func (a *account) reader(client string) *book {
	b := a.readers[client]
	if b == nil {
		b = &book{}
		a.readers[client] = b
	}
	return b
}

// Next is the number of a message that is about to be published. Who never has
// members join or leave while messages are published may number them without.
func (l *Ledger) Next(ch wire.Channel) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	a.begun++
	return a.begun - 1
}

// Acknowledged says that number n of a channel was acknowledged.
func (l *Ledger) Acknowledged(ch wire.Channel, n int) { l.AcknowledgedAt(ch, n, 0) }

// AcknowledgedAt is Acknowledged with the place that the message got, by which
// gaps are understood.
func (l *Ledger) AcknowledgedAt(ch wire.Channel, n int, seq wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	for len(a.acked) <= n {
		a.acked = append(a.acked, false)
	}
	a.acked[n] = true
	a.begun = max(a.begun, n+1)
	if seq != 0 {
		a.at[n] = seq
	}
}

// Expect says that a client is to see everything of a channel, from its first
// message on.
func (l *Ledger) Expect(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accountLocked(ch).readers[client] = &book{stays: []stay{{joined: true}}}
}

// Joining says that a client is about to be made a member, or to subscribe:
// from here on it may receive.
func (l *Ledger) Joining(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	b := a.reader(client)
	if s := b.present(); s == nil || s.over {
		b.stays = append(b.stays, stay{allowed: len(a.acked), required: a.begun})
	}
}

// JoiningAfter is Joining where the client asks for what follows number n, which
// it has: once that is acknowledged, all of it must come.
func (l *Ledger) JoiningAfter(client string, ch wire.Channel, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.accountLocked(ch).reader(client)
	if s := b.present(); s == nil || s.over {
		b.stays = append(b.stays, stay{allowed: n + 1, required: n + 1, asked: true})
	}
}

// Subscribing is Joining where the answer will say from which place on; see
// JoinedAt.
func (l *Ledger) Subscribing(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	b := a.reader(client)
	if s := b.present(); s == nil || s.over {
		b.stays = append(b.stays, stay{allowed: b.last() + 1, required: a.begun})
	}
}

// JoinedAt is Joined where the answer said that all after a place comes, and
// nothing before.
func (l *Ledger) JoinedAt(client string, ch wire.Channel, from wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.accountLocked(ch).reader(client).present(); s != nil && !s.joined && !s.over {
		s.joined, s.placed, s.from = true, true, from
	}
}

// Joined says that this was acknowledged: from here on it must receive. Who does
// not know whether a join was done, calls it not, and may begin again.
func (l *Ledger) Joined(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accountLocked(ch)
	if s := a.reader(client).present(); s != nil && !s.joined && !s.over {
		if s.joined = true; !s.asked {
			s.required = a.begun
		}
	}
}

// Leaving says that a client is about to be taken out: from here on nothing
// must come any more, whenever it was published, but what comes has no holes.
func (l *Ledger) Leaving(client string, ch wire.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.accountLocked(ch).reader(client).present(); s != nil {
		s.over = true
	}
}

// Afresh says that a client was told to start afresh, as in a new epoch: what
// it has not received of what was published up to now need not come. It is
// called when the client learns of it.
func (l *Ledger) Afresh(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.channels {
		b := a.readers[client]
		if b == nil {
			continue
		}
		if s := b.present(); s != nil && !s.over {
			s.over = true
			b.stays = append(b.stays, stay{allowed: b.last() + 1, required: a.begun, joined: s.joined})
		}
	}
}

// PowerLoss says that the logs may have lost their end just now. What was being
// published, and is not acknowledged yet, may have been delivered and lost; who
// tries it again has it delivered again, in the new epoch.
func (l *Ledger) PowerLoss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.channels {
		for n := range a.begun {
			if n >= len(a.acked) || !a.acked[n] {
				a.twice = append(a.twice, n)
			}
		}
	}
}

// Saw says that a client received number n of a channel. It reports whether
// the client was to receive the channel at all.
func (l *Ledger) Saw(client string, ch wire.Channel, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.accountLocked(ch).readers[client]
	if b == nil || len(b.stays) == 0 {
		return false
	}
	b.see(n)
	return true
}

// Gap says that a client was told that the frames from one place to another are
// gone, both inclusive. That excuses what it did not receive, and is wrong about
// what it did.
func (l *Ledger) Gap(client string, ch wire.Channel, from, to wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.accountLocked(ch).reader(client)
	b.gaps = append(b.gaps, span{from, to})
}

// Missing is how much must still come, over all clients: 0 when all have what
// they are to have.
func (l *Ledger) Missing() int { return l.Result().Lost }
