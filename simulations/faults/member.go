package faults

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// member is a client that enters what it sees in the ledger.
type member struct {
	// Fixed.
	user      string
	client    *client.Client
	delivered *atomic.Int64 // by all members

	account atomic.Pointer[account]
	had     atomic.Int64 // messages
	cutAt   atomic.Int64 // how many it has when its connection breaks; 0 = never

	welcomes, resumed, afresh atomic.Int64 // of these, the last two count those after the first
	gaps, violations          atomic.Int64
	strangers                 atomic.Int64 // messages that should not be there at all
	epoch                     atomic.Pointer[string]
	watched                   atomic.Pointer[stillness] // nil = nobody looks
	state                     atomic.Pointer[client.State]
	ended                     atomic.Pointer[error] // it gave up

	mu   sync.Mutex
	conn *gate // guarded by mu; the newest
}

// account is where a member enters what it sees.
type account struct {
	book  *ledger.Ledger
	round int // of the messages that may come
}

// newMember makes a client of user, which goes to the edges in their order; with roams
// it asks them which others there are.
func newMember(a *account, delivered *atomic.Int64, user wire.UserID, edges []string, roams bool) (*member, error) {
	token, err := sign(user)
	if err != nil {
		return nil, err
	}
	m := &member{user: string(user), delivered: delivered}
	m.account.Store(a)
	m.client, err = client.New(client.Config{
		Objects: -1, // it looks at frames only
		Edges:   edges, Static: !roams, Name: "faults/1", Dial: m.dial,
		Token: func(context.Context) (string, error) { return token, nil },
		Events: client.Events{
			Welcome: m.welcome, Message: m.message, State: func(s client.State) { m.state.Store(&s) },
			Gap:       m.gap,
			Violation: func(client.Violation) { m.violations.Add(1) },
		},
	})
	return m, err
}

func sign(user wire.UserID) (string, error) {
	now := time.Now()
	return identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: string(user), Subscribe: []string{"topic:*"}, Expires: now.Add(2 * time.Hour)}, now)
}

func (m *member) run(ctx context.Context) {
	if err := m.client.Run(ctx); ctx.Err() == nil {
		m.ended.Store(&err)
	}
}

func (m *member) welcome(w *wire.Welcome) {
	epoch := w.Cursor.Epoch
	m.epoch.Store(&epoch)
	switch {
	case w.Resumed:
		m.resumed.Add(1)
	case m.welcomes.Load() > 0:
		m.afresh.Add(1)
	}
	m.welcomes.Add(1)
}

// doing is what the client does, without what only it does.
func (m *member) doing() string {
	if err := m.ended.Load(); err != nil {
		return fmt.Sprint("has given up: ", *err)
	}
	switch s := m.state.Load(); {
	case s == nil:
		return "has not begun"
	case s.Kind == client.Connected:
		return "is at " + s.URL
	case s.Kind == client.Connecting:
		return "asks " + s.URL
	default:
		return fmt.Sprintf("was not taken by %s (%v)", s.URL, s.Err)
	}
}

// whatabouts is what members do, those who do the same counted.
func whatabouts(members []*member) string {
	counts := map[string]int{}
	for _, m := range members {
		counts[m.doing()]++
	}
	var all []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d: %s", counts[what], what))
	}
	return strings.Join(all, "; ")
}

// body is the data of a message.
type body struct {
	N     int `json:"n"` // its number in its channel
	Round int `json:"round"`
}

func (m *member) message(f *client.Message) {
	var b body
	a := m.account.Load()
	if err := wire.Msgpack.Decode(f.Data, &b); err != nil || b.Round != a.round {
		m.strangers.Add(1)
		return
	}
	a.book.Saw(m.user, f.Ch, b.N)
	if w := m.watched.Load(); w != nil {
		w.saw(m.user, f.Ch)
	}
	if m.delivered.Add(1); m.had.Add(1) == m.cutAt.Load() {
		m.cut()
	}
}

func (m *member) gap(g *wire.Gap) {
	m.gaps.Add(1)
	m.account.Load().book.Gap(m.user, g.Ch, g.From, g.To)
}

func (m *member) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	g := newGate(nc)
	m.mu.Lock()
	m.conn = g
	m.mu.Unlock()
	return g, nil
}

// current is the newest connection; nil = none yet.
func (m *member) current() *gate {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

// cut breaks the connection: the client resumes.
func (m *member) cut() {
	if g := m.current(); g != nil {
		_ = g.Close() // the client sees it
	}
}
