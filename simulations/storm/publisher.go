package storm

import (
	"context"
	"fmt"
	"sync"
	"time"

	backend "selvedge/core/client"
	"selvedge/simulations/ledger"
)

// publisher publishes to rooms in turn, one message after the other, each until it is
// acknowledged: the ledger's numbers are those of the rooms.
type publisher struct {
	book    *ledger.Ledger
	now     func() time.Duration // the record's clock
	rooms   int
	gap     time.Duration // between two messages
	publish func(ctx context.Context, m backend.Message) (backend.Placed, error)

	quit chan struct{} // closed by stop
	once sync.Once
	done chan struct{} // closed when run has ended
	err  error         // set before done is closed
}

// start begins to publish; stop it.
func (p *publisher) start(ctx context.Context) {
	p.quit, p.done = make(chan struct{}), make(chan struct{})
	go func() {
		p.err = p.run(ctx)
		close(p.done)
	}()
}

// stop ends it after the answer to its last message, and says how that went.
func (p *publisher) stop() error {
	p.once.Do(func() { close(p.quit) })
	<-p.done
	return p.err
}

func (p *publisher) run(ctx context.Context) error {
	next := time.Now()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.quit:
			return nil
		case <-time.After(time.Until(next)):
		}
		if next = next.Add(p.gap); time.Since(next) > time.Second {
			next = time.Now() // what couldn't be published then isn't made up for
		}
		if err := p.one(ctx, i%p.rooms); err != nil {
			return err
		}
	}
}

// tryPause is between a publish that failed and the next try.
const tryPause = 50 * time.Millisecond

// one publishes a message to a room.
func (p *publisher) one(ctx context.Context, room int) error {
	ch := channel(room)
	b := body{N: p.book.Next(ch), At: int64(p.now())}
	data, err := b.data()
	if err != nil {
		return err
	}
	for {
		placed, err := p.publish(ctx, backend.Message{Channel: ch, Data: data, MsgID: fmt.Sprint(b.N)})
		if err == nil {
			p.book.AcknowledgedAt(ch, b.N, placed.Seq)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tryPause):
		}
	}
}
