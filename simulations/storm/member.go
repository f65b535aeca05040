package storm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// member is a client of the Go SDK that enters what it sees in a record.
type member struct {
	number int
	user   string
	client *client.Client
	rec    *record
	stays  bool // its edge is not the one that is lost: how late its messages are is told

	// All below is guarded by rec.mu.
	welcomes int
	away     bool // it was welcome, and knows that its connection has ended
	trip     Trip // the one that it is on
	returned bool // it has ended one
	ended    error
}

// Trip is what one member did from the end of a connection to the next welcome. Times
// are by the record's clock.
type Trip struct {
	Member int           `json:"member"`
	Lost   time.Duration `json:"lost"` // when it knew
	Back   time.Duration `json:"back"`
	Tries  int           `json:"tries"`
	Afresh bool          `json:"afresh,omitempty"` // it was told to start afresh
}

// newMember makes a client of user number n, which goes to the edges in their order.
// dial nil = the system's.
func newMember(rec *record, n int, edges []string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*member, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: string(userID(n)), Expires: now.Add(100 * time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	m := &member{number: n, user: string(userID(n)), rec: rec}
	m.client, err = client.New(client.Config{
		Objects: -1, // it looks at frames only
		Edges:   edges, Static: true, Name: "storm/1", Dial: dial,
		Token: func(context.Context) (string, error) { return token, nil },
		Events: client.Events{
			State: m.state, Message: m.message, Gap: m.gap,
			Violation: func(v client.Violation) { rec.violated(m, v) },
		},
	})
	return m, err
}

// run runs the client until ctx ends.
func (m *member) run(ctx context.Context) {
	if err := m.client.Run(ctx); ctx.Err() == nil {
		m.rec.mu.Lock()
		defer m.rec.mu.Unlock()
		m.ended = err
	}
}

// state is for client.Events.
func (m *member) state(s client.State) {
	r := m.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	switch s.Kind {
	case client.Connecting:
		if m.away {
			m.trip.Tries++
			r.tries = append(r.tries, now)
		}
	case client.Waiting:
		if m.welcomes > 0 && !m.away {
			m.away, m.trip = true, Trip{Member: m.number, Lost: now}
			r.away++
		}
	case client.Connected:
		if m.welcomes++; m.welcomes == 1 {
			r.welcomed++
		}
		if m.away {
			m.away, m.trip.Back, m.trip.Afresh = false, now, !s.Resumed
			r.trips = append(r.trips, m.trip)
			if r.away--; !m.stays && !m.returned {
				m.returned = true
				r.returned++
			}
		}
	}
}

// body is the data of a message.
type body struct {
	N  int   `json:"n"`  // its number in its channel
	At int64 `json:"at"` // when it was sent, by the record's clock, in nanoseconds
}

// data is one as it is published.
func (b body) data() (wire.Data, error) {
	return wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"at":%d,"text":"warp and weft, warp and weft, warp and weft"}`, b.N, b.At))
}

var errStrange = errors.New("a message that nobody can read")

func (m *member) message(f *client.Message) {
	var b body
	if err := wire.Msgpack.Decode(f.Data, &b); err != nil {
		m.rec.fail(fmt.Errorf("%s in %s: %w: %w", m.user, f.Ch, errStrange, err))
		return
	}
	if !m.rec.book.Saw(m.user, f.Ch, b.N) {
		m.rec.fail(fmt.Errorf("%s got a message of %s, where it is not a member", m.user, f.Ch))
	}
	m.rec.delivered(m, time.Duration(b.At))
}

func (m *member) gap(g *wire.Gap) {
	m.rec.book.Gap(m.user, g.Ch, g.From, g.To)
}

// expects says in the ledger what a member is to see.
func expects(book *ledger.Ledger, c Crowd, n int) {
	for nth := range c.each() {
		book.Expect(string(userID(n)), channel(c.in(n, nth)))
	}
}

// turned is list, beginning with its i-th.
func turned(list []string, i int) []string {
	i %= len(list)
	return append(append([]string(nil), list[i:]...), list[:i]...)
}
