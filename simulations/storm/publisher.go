package storm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

	quit   chan struct{} // closed by stop
	once   sync.Once
	give   context.CancelCauseFunc // ends a try that is under way
	done   chan struct{}           // closed when run has ended
	err    error                   // set before done is closed
	failed int                     // tries that had another answer or none; to be read when done is closed
}

// start begins to publish; stop it.
func (p *publisher) start(ctx context.Context) {
	p.quit, p.done = make(chan struct{}), make(chan struct{})
	ctx, p.give = context.WithCancelCause(ctx)
	go func() {
		defer close(p.done)
		defer p.give(nil)
		p.err = p.run(ctx)
	}()
}

// lastTime is how long the last message may want for its acknowledgement.
const lastTime = 30 * time.Second

// errNoAnswer is why the last message is given up.
var errNoAnswer = fmt.Errorf("nobody has acknowledged it for %v", lastTime)

// stop ends it after the answer to its last message, for which it waits for lastTime at
// most, and says how that went.
func (p *publisher) stop() error {
	p.once.Do(func() { close(p.quit) })
	late := time.NewTimer(lastTime)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		p.give(errNoAnswer)
		<-p.done
	}
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

// one publishes a message to a room. It tries until that is acknowledged, refused for
// good, or ctx ends.
func (p *publisher) one(ctx context.Context, room int) error {
	ch := channel(room)
	b := body{N: p.book.Next(ch), At: int64(p.now())}
	data, err := b.data()
	if err != nil {
		return err
	}
	var last error
	for {
		placed, err := p.publish(ctx, backend.Message{Channel: ch, Data: data, MsgID: fmt.Sprint(b.N)})
		if err == nil {
			p.book.AcknowledgedAt(ch, b.N, placed.Seq)
			return nil
		}
		p.failed++
		if last == nil || ctx.Err() == nil { // else it may only say that ctx has ended
			last = err
		}
		if isFinal(err) {
			return fmt.Errorf("message %d of %s: %w", b.N, ch, err)
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); errors.Is(cause, errNoAnswer) {
				return fmt.Errorf("message %d of %s: %w: %w", b.N, ch, cause, last)
			}
			return ctx.Err()
		case <-time.After(tryPause):
		}
	}
}

// isFinal reports whether a core has said what no other try will change.
func isFinal(err error) bool {
	e, ok := errors.AsType[*backend.Error](err)
	return ok && e.Status/100 == 4 && e.Status != http.StatusTooManyRequests
}
