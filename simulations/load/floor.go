package load

import (
	"context"
	"time"

	"selvedge/simulations/orders"
)

// Floor is a process that does what the kernel can't be spared, and nothing
// else: it accepts, answers with canned bytes, and writes the bytes that an
// edge would write, in a plain loop. Not safe for concurrent use.
type Floor struct {
	URL string // for clients

	worker *worker
}

// StartFloor starts `binary args...`, which must call ServeFloor. Its welcomes
// have a payload of welcome bytes. Close it, unless there is an error.
func StartFloor(ctx context.Context, binary string, welcome int, args ...string) (*Floor, error) {
	w, err := orders.Start[order, word](binary, args...)
	if err != nil {
		return nil, err
	}
	answer, err := w.Ask(ctx, order{Do: "listen", Welcome: welcome})
	if err != nil {
		_ = w.Stop() // the first error says more
		return nil, err
	}
	return &Floor{URL: answer.URL, worker: w}, nil
}

// Close ends the process.
func (f *Floor) Close() error { return f.worker.Stop() }

// PID is the process.
func (f *Floor) PID() int { return f.worker.PID() }

// Sockets is how many are open.
func (f *Floor) Sockets(ctx context.Context) (int, error) {
	w, err := f.worker.Ask(ctx, order{Do: "sockets"})
	return w.Sockets, err
}

// Prepare makes the packets of count messages of a channel, in memory: those
// with the texts from number first on. Their places follow those of the last ones.
func (f *Floor) Prepare(ctx context.Context, texts Texts, channel string, first, count int) error {
	_, err := f.worker.Ask(ctx, order{Do: "prepare", Texts: texts, Channel: channel, First: first, Count: count})
	return err
}

// Write writes count packets of those that were prepared, from number first (the
// first one prepared is 0) on, to every socket: frame by frame, each to all
// sockets, batch frames per system call. It returns the moment before the first
// write (Now), and how long all took.
func (f *Floor) Write(ctx context.Context, first, count, batch int) (start int64, took time.Duration, err error) {
	w, err := f.worker.Ask(ctx, order{Do: "write", First: first, Count: count, Batch: batch})
	return w.Start, time.Duration(w.End - w.Start), err
}
