package world

import (
	"context"
	"errors"
	"net"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/wire"
)

const (
	// tryTime bounds one try of a publish at one core, and tryPause is between two.
	tryTime  = 4 * time.Second
	tryPause = 100 * time.Millisecond
)

// Backend is who publishes and changes rooms, from a host of its own, and knows
// all cores.
type Backend struct {
	cores []*backend.Client
}

func newBackend(w *World) *Backend {
	b := &Backend{}
	for _, n := range w.Cores {
		b.cores = append(b.cores, &backend.Client{BaseURL: n.URL, Key: identity.DevAPIKey, HTTP: w.http, Retries: -1})
	}
	return b
}

// Publish publishes at core number at, modulo their number, and then at the next
// ones, until one acknowledges or ctx ends. The message has a MsgID.
func (b *Backend) Publish(ctx context.Context, at int, m backend.Message) (backend.Placed, error) {
	for ; ; at++ {
		try, cancel := context.WithTimeout(ctx, tryTime)
		placed, err := b.cores[at%len(b.cores)].Publish(try, m)
		cancel()
		if err == nil || ctx.Err() != nil || isFinal(err) {
			return placed, err
		}
		select {
		case <-ctx.Done():
			return placed, err
		case <-time.After(tryPause):
		}
	}
}

// isFinal reports whether a core has said what no other try will change.
func isFinal(err error) bool {
	var e *backend.Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500
}

// PutRoom makes a room.
func (b *Backend) PutRoom(ctx context.Context, id wire.RoomID) error {
	_, err := b.cores[0].PutRoom(ctx, id, backend.Document{Data: emptyMap})
	return err
}

// ChangeMembers changes a room's members by core number at, modulo their number,
// or by the next one if nobody is there. After an error that a core may have had
// a part in, the outcome is unknown, and it may be done later still.
func (b *Backend) ChangeMembers(ctx context.Context, at int, id wire.RoomID, add, remove []wire.UserID) error {
	for i := range b.cores {
		_, err := b.cores[(at+i)%len(b.cores)].ChangeMembers(ctx, id, add, remove)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			return err
		}
	}
	return errors.New("no core is there")
}
