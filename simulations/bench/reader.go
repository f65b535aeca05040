package bench

import (
	"context"
	"sync"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// sampleEvery thins the delays that a reader remembers.
const sampleEvery = 16

// reader is one client, that enters what it sees in the ledger.
type reader struct {
	d        *day
	user     string
	client   *client.Client
	welcomed chan struct{} // closed by the first welcome
	once     sync.Once

	mu     sync.Mutex
	count  int
	delays []float64 // guarded by mu; milliseconds
}

func newReader(d *day, user wire.UserID, edge string) (*reader, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: string(user), Expires: now.Add(time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	r := &reader{d: d, user: string(user), welcomed: make(chan struct{})}
	r.client, err = client.New(client.Config{
		Objects: -1, // it looks at frames only
		Edges:   []string{edge}, Static: true, Name: "bench/1",
		Token: func(context.Context) (string, error) { return token, nil },
		Events: client.Events{
			Welcome: func(*wire.Welcome) { r.once.Do(func() { close(r.welcomed) }) },
			Message: r.message,
		},
	})
	return r, err
}

func (r *reader) run(ctx context.Context) { _ = r.client.Run(ctx) }

func (r *reader) message(m *client.Message) {
	var body struct {
		N int `json:"n"`
	}
	if err := wire.Msgpack.Decode(m.Data, &body); err != nil || !r.d.book.Saw(r.user, m.Ch, body.N) {
		return
	}
	now := time.Now()
	r.d.seen.Add(1)
	r.d.last.Store(now.UnixNano())
	r.mu.Lock()
	if r.count++; r.count%sampleEvery == 0 {
		r.delays = append(r.delays, float64(now.UnixMilli()-m.TS))
	}
	r.mu.Unlock()
}

func (r *reader) sample() []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delays
}
