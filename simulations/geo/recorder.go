package geo

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/edge/client"
	"selvedge/wire"
)

// recorder takes the times: of each message when it was sent, when the core had it
// in its log, and when each edge and each client had it. It is safe for concurrent
// use.
type recorder struct {
	since  func() time.Duration // since the world began; set before anybody comes, with
	origin time.Time            // when that was
	begin  time.Duration        // when publishing began; set before that

	mu       sync.Mutex
	messages []message         // guarded by mu
	arrivals [][]arrival       // guarded by mu; by region, at clients
	probed   [][]arrival       // guarded by mu; by region, at edges
	welcomes [][]time.Duration // guarded by mu; by region: how long clients took to be welcomed first
	welcome  int               // guarded by mu; how many were, probes included
	seen     []*attendance     // guarded by mu
	moves    []Move            // guarded by mu
	trouble  []string          // guarded by mu; what should not happen
}

// message is what is published.
type message struct {
	region   int32
	sent     time.Duration
	accepted time.Duration // 0 = it was not, so far
	// stamped is when the core took it, by its own stamp, which has whole milliseconds;
	// 0 = nobody has seen that, so far.
	stamped time.Duration
}

// arrival is a message's at somebody.
type arrival struct {
	n  int32
	at time.Duration
}

// attendance is what one member has.
type attendance struct {
	m     *member
	has   []uint64 // a bit for each message
	got   int
	twice int
}

// Move is a client that is connected to another edge than before, or to the same one
// again.
type Move struct {
	User   string        `json:"user"`
	Region int           `json:"region"` // of the client
	To     string        `json:"to"`     // region of the edge
	Lost   time.Duration `json:"lost"`   // when the client saw that its connection was no more
	At     time.Duration `json:"at"`     // when it was connected again; both since publishing began
}

func newRecorder(regions int) *recorder {
	return &recorder{
		arrivals: make([][]arrival, regions), probed: make([][]arrival, regions), welcomes: make([][]time.Duration, regions),
	}
}

// begins sets the clock.
func (r *recorder) begins(since func() time.Duration) {
	r.since, r.origin = since, time.Now().Add(-since())
}

func messageID(n int) string { return "m" + strconv.Itoa(n) }

// sends takes note of a message that is sent now, and gives it a number.
func (r *recorder) sends(region int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, message{region: int32(region), sent: r.since()})
	return len(r.messages) - 1
}

// open opens the core's logs, and takes note of what they accept.
func (r *recorder) open(ctx context.Context, cfg corelog.Config) (core.Store, error) {
	s, err := corelog.Open(ctx, cfg)
	if err != nil {
		return nil, err // not a nil *log.Store, which is no nil Store
	}
	return &acceptance{s, r}, nil
}

// acceptance is a core's logs.
type acceptance struct {
	core.Store
	r *recorder
}

// Publish is Store's.
func (a *acceptance) Publish(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error) {
	placed, err := a.Store.Publish(ctx, publisher, post)
	if number, ours := strings.CutPrefix(post.MsgID, "m"); ours && err == nil {
		if n, err := strconv.Atoi(number); err == nil {
			a.r.mu.Lock()
			a.r.messages[n].accepted = a.r.since()
			a.r.mu.Unlock()
		}
	}
	return placed, err
}

// body is what a message has beside its padding.
type body struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

// join is what a member tells.
func (r *recorder) join(m *member) client.Events {
	a := &attendance{m: m}
	begin := r.since()
	r.mu.Lock()
	r.seen = append(r.seen, a)
	r.mu.Unlock()
	var welcomed bool
	var lost time.Duration
	return client.Events{
		Welcome: func(*wire.Welcome) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !welcomed {
				welcomed = true
				r.welcome++
				if m.edge < 0 {
					r.welcomes[m.region] = append(r.welcomes[m.region], r.since()-begin)
				}
			}
		},
		Message: func(msg *client.Message) {
			var b body
			if err := wire.Msgpack.Decode(msg.Data, &b); err != nil {
				r.complain(m.user + ": a message that can't be read: " + err.Error())
				return
			}
			r.arrives(a, b.N, time.UnixMilli(msg.TS))
		},
		State: func(s client.State) {
			if m.edge >= 0 || !welcomed {
				return
			}
			if s.Kind != client.Connected {
				if lost == 0 {
					lost = r.since()
				}
				return
			}
			if lost == 0 {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.moves = append(r.moves, Move{User: m.user, Region: m.region, To: s.Edge.Region, Lost: lost - r.begin, At: r.since() - r.begin})
			lost = 0
		},
		Gap:       func(*wire.Gap) { r.complain(m.user + " was told of a gap") },
		Violation: func(client.Violation) { r.complain(m.user + " found a hole") },
		Error:     func(e *client.RequestError) { r.complain(m.user + ": " + e.Error()) },
	}
}

func (r *recorder) arrives(a *attendance, n int, stamp time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := &r.messages[n]; m.stamped == 0 {
		m.stamped = stamp.Sub(r.origin)
		if m.accepted == 0 { // a core in a process of its own tells no other time
			m.accepted = m.stamped
		}
	}
	for len(a.has) <= n/64 {
		a.has = append(a.has, 0)
	}
	if a.has[n/64]&(1<<(n%64)) != 0 {
		a.twice++
		return
	}
	a.has[n/64] |= 1 << (n % 64)
	a.got++
	to := r.arrivals
	if a.m.edge >= 0 {
		to = r.probed
	}
	to[a.m.region] = append(to[a.m.region], arrival{int32(n), r.since()})
}

func (r *recorder) complain(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = append(r.trouble, text)
}

// welcomed is how many were.
func (r *recorder) welcomed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.welcome
}

// missing is how many messages have not arrived where they should, over all members.
func (r *recorder) missing() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.seen {
		n += len(r.messages) - a.got
	}
	return n
}
