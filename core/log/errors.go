package log

import (
	"errors"
	"fmt"
)

// Errors of the logs.
var (
	// ErrUnavailable: the log can't be written or read now (disk full, closed,
	// no answer in time). Whether an append happened is then unknown.
	ErrUnavailable = errors.New("the log is unavailable")
	// ErrConflict: the last record of a state record's key is not the expected one.
	ErrConflict = errors.New("the record has changed meanwhile")
	// ErrIDReused: an idempotency id was used before for other content.
	ErrIDReused = errors.New("msg_id was used before with other content")
	// ErrTooLarge: a record exceeds what a log takes.
	ErrTooLarge = errors.New("the record is too large")
	// ErrLocked: another process has the data folder.
	ErrLocked = errors.New("in use by another core")
	// ErrFolder: the data folder can't be used. The text names it.
	ErrFolder = errors.New("data folder")
	// ErrSettings: what is asked for doesn't fit what there is, such as a folder of
	// a single core in a cluster. The text says what to do.
	ErrSettings = errors.New("the logs can't be opened like this")
	// ErrTailLost: records that were acknowledged are gone after the log was
	// opened again, or another core found that. The epoch has changed: end the
	// process, and start anew. It is an ErrUnavailable, too.
	ErrTailLost = fmt.Errorf("%w: it lost acknowledged records", ErrUnavailable)
)

var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
