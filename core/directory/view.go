package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"selvedge/wire"
)

// Errors of the view and its writer.
var (
	// ErrClosed: the view was closed.
	ErrClosed = errors.New("directory: closed")
	// ErrNotFound: a document that the call needs does not exist.
	ErrNotFound = errors.New("not found")
	// ErrVersion: a document has a newer version than the caller's, or the same
	// with other data.
	ErrVersion = errors.New("version conflict")
	// ErrNotObject: a document would not be a JSON object.
	ErrNotObject = errors.New("data must be a JSON object")
	// ErrContended: other writers of the same key were faster too many times.
	ErrContended = errors.New("too many writers of the same key: try again")
)

// Config of a View.
type Config struct {
	// Dir holds the store and nothing else. It is made if missing, and emptied
	// when its content is damaged or of another epoch.
	Dir string
	// Epoch is the log's. A view of another epoch starts from zero.
	Epoch string
	// Logger says when and why the view is rebuilt. Nil = none.
	Logger *slog.Logger
}

// View is the state as of one position of the state log. It is safe for
// concurrent use, but only one goroutine may Apply.
type View struct {
	cfg Config

	// Owned by the goroutine that applies.
	batch *batch

	// open is held for reading by whoever uses db, and for writing by Close.
	open   sync.RWMutex
	closed bool
	db     store

	mu      sync.Mutex
	applied wire.Seq
	moved   chan struct{} // closed, and replaced, when applied has changed; closed for good by Close
}

// Open opens the view in cfg.Dir, or begins an empty one. It fails if the folder
// can't be used; a damaged store is no failure.
func Open(cfg Config) (*View, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db, applied, err := openStore(cfg)
	if err != nil {
		return nil, err
	}
	return &View{cfg: cfg, db: db, applied: applied, moved: make(chan struct{})}, nil
}

// Close writes what is still in memory to disk and ends all waiting. The view
// can't be used any more. Closing twice is harmless.
func (v *View) Close() error {
	v.open.Lock()
	defer v.open.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	v.mu.Lock()
	close(v.moved)
	v.mu.Unlock()
	return v.db.close()
}

// Applied is the last state position that reads see.
func (v *View) Applied() wire.Seq {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.applied
}

// WaitApplied returns when the view has applied seq, with ErrClosed when it was
// closed before, or with ctx's error.
func (v *View) WaitApplied(ctx context.Context, seq wire.Seq) error {
	for {
		v.mu.Lock()
		applied, moved := v.applied, v.moved
		v.mu.Unlock()
		if applied >= seq {
			return nil
		}
		if v.isClosed() {
			return ErrClosed
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait until the directory has applied state record %d: %w", seq, ctx.Err())
		}
	}
}

func (v *View) isClosed() bool {
	v.open.RLock()
	defer v.open.RUnlock()
	return v.closed
}

// Apply applies records of the state log, which must ascend in V and have come
// after those applied before; positions that were applied already are passed
// over. Only one goroutine may call it. After an error nothing of records, or a
// prefix of them, is applied: Applied says how far it got.
//
// It sets the MemberCount of the memberships that it applies.
func (v *View) Apply(records []wire.StateRecord) error {
	v.open.RLock()
	defer v.open.RUnlock()
	if v.closed {
		return ErrClosed
	}
	applied := v.Applied()
	for len(records) > 0 && records[0].V <= applied {
		records = records[1:]
	}
	for len(records) > 0 {
		n, err := v.applySome(records)
		if err != nil {
			return fmt.Errorf("directory: apply state record %d: %w", records[0].V, err)
		}
		records = records[n:]
	}
	return nil
}

// batchBytes bounds one write to the store.
const batchBytes = 1 << 20

// applySome applies as many records as fit one batch of the store.
func (v *View) applySome(records []wire.StateRecord) (n int, err error) {
	if v.batch == nil {
		v.batch = newBatch()
	}
	b := v.batch
	b.begin(v.db.DB)
	defer func() { err = errors.Join(err, b.end()) }()
	var last wire.Seq
	for n < len(records) && b.to.Len() < batchBytes {
		r := &records[n]
		if r.V <= last {
			return 0, fmt.Errorf("position %d after %d: the log's order is broken", r.V, last)
		}
		if err := b.add(r); err != nil {
			return 0, err
		}
		last = r.V
		n++
	}
	if err := b.setCounts(); err != nil {
		return 0, err
	}
	if err := b.set([]byte(appliedKey), binary.BigEndian.AppendUint64(nil, uint64(last))); err != nil {
		return 0, err
	}
	if err := b.to.Commit(pebble.NoSync); err != nil {
		return 0, err
	}
	v.mu.Lock()
	v.applied = last
	close(v.moved)
	v.moved = make(chan struct{})
	v.mu.Unlock()
	return n, nil
}
