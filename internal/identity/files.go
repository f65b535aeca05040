package identity

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// reloadInterval is the least time between two looks at files.
const reloadInterval = 10 * time.Second

// source is where something is read from.
type source[T any] struct {
	what  string                 // for people
	files []string               // at most three; none = nothing to read again
	read  func(now T) (T, error) // now = what is in use, the zero value at first
	about func(T) slog.Attr      // what to say of it in the log
}

// reloaded is what was read from files; it is read again when they have changed and
// somebody asks for it. Safe for concurrent use.
type reloaded[T any] struct {
	// fixed
	from   source[T]
	logger *slog.Logger

	mu      sync.Mutex
	now     T         // guarded by mu; never modified
	checked time.Time // guarded by mu; last look at the files
	stamp   fileStamp // guarded by mu; of the files last read, good or not
}

// fileStamp changes when one of the files does.
type fileStamp [3]struct {
	modified time.Time
	size     int64
}

// load reads for the first time. A nil logger is silence.
func load[T any](from source[T], logger *slog.Logger) (*reloaded[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	stamp, err := from.stamp()
	if err != nil {
		return nil, err
	}
	var none T
	now, err := from.read(none)
	if err != nil {
		return nil, err
	}
	return &reloaded[T]{from: from, logger: logger, now: now, checked: time.Now(), stamp: stamp}, nil
}

// given is what comes from no file.
func given[T any](now T) *reloaded[T] { return &reloaded[T]{now: now} }

// current is what is in use, after a look at the files if the last one was a while
// ago.
func (r *reloaded[T]) current() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); len(r.from.files) > 0 && now.Sub(r.checked) >= reloadInterval {
		r.checked = now
		r.reloadLocked()
	}
	return r.now
}

func (r *reloaded[T]) reloadLocked() {
	stamp, err := r.from.stamp()
	if err == nil && stamp == r.stamp {
		return
	}
	next := r.now
	if err == nil {
		next, err = r.from.read(r.now)
	}
	r.stamp = stamp
	if err != nil {
		// Once per change of the files, unless they are gone.
		r.logger.Warn("a changed file is not taken, what was read before stays in use", "what", r.from.what, "err", err)
		return
	}
	r.now = next
	r.logger.Info("a changed file is read again", slog.String("what", r.from.what), slog.String("file", r.from.files[0]), r.from.about(next))
}

func (s *source[T]) stamp() (stamp fileStamp, err error) {
	for i, path := range s.files {
		info, err := os.Stat(path)
		if err != nil {
			return fileStamp{}, fmt.Errorf("%s can't be read: %w", s.what, err)
		}
		stamp[i].modified, stamp[i].size = info.ModTime(), info.Size()
	}
	return stamp, nil
}
