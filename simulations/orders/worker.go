package orders

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/child"
)

// leaveTime is how long a worker may take to end when its orders have.
const leaveTime = 30 * time.Second

// Worker is a process that obeys, seen from its parent. Orders are given one
// after the other; safe for concurrent use.
type Worker[O fmt.Stringer, W any] struct {
	cmd  *exec.Cmd
	wait func() error
	in   io.WriteCloser
	log  strings.Builder // what it said on stderr; read after its end

	answers io.Closer // what out reads

	mu  sync.Mutex
	out *bufio.Reader // guarded by mu
}

// Start starts `binary args...`, which must Obey on its stdin and stdout. Stop it,
// unless there is an error.
func Start[O fmt.Stringer, W any](binary string, args ...string) (*Worker[O, W], error) {
	w := &Worker[O, W]{cmd: exec.Command(binary, args...)}
	w.cmd.Stderr = &w.log
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// A pipe of our own: the command's would be closed when the process ends, and an
	// answer in it is still to be read.
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w.cmd.Stdout, w.answers, w.out = out, answers, bufio.NewReader(answers)
	w.wait, err = child.Start(w.cmd)
	_ = out.Close() // it is the process's
	if err != nil {
		_ = answers.Close() // nobody writes to it
		return nil, err
	}
	return w, nil
}

// Ask gives an order and waits for its answer, or until ctx ends: then the worker
// is killed, because nobody knows any more what it is doing. What it said to an
// order that failed is returned, too.
func (w *Worker[O, W]) Ask(ctx context.Context, o O) (W, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer context.AfterFunc(ctx, func() { _ = w.cmd.Process.Kill() })()
	var a answer[W]
	b, err := json.Marshal(o)
	if err != nil {
		return a.Word, err
	}
	var line []byte
	if _, err = w.in.Write(append(b, '\n')); err == nil {
		line, err = w.out.ReadBytes('\n')
	}
	if err != nil {
		return a.Word, errors.Join(ctx.Err(), fmt.Errorf("%s: %w", o, err))
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a.Word, fmt.Errorf("%s: %w", o, err)
	}
	if a.Error != "" {
		return a.Word, fmt.Errorf("%s: %s", o, a.Error)
	}
	return a.Word, nil
}

// Stop ends the worker by ending its orders, and waits for it. It fails if the
// worker did, and says what that had to say.
func (w *Worker[O, W]) Stop() error {
	_ = w.in.Close() // it may be gone already
	kill := time.AfterFunc(leaveTime, func() { _ = w.cmd.Process.Kill() })
	defer kill.Stop()
	defer func() { _ = w.answers.Close() }() // it was only read
	if err := w.wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(w.cmd.Args[1:], " "), err, strings.TrimSpace(w.log.String()))
	}
	return nil
}

// PID is the process.
func (w *Worker[O, W]) PID() int { return w.cmd.Process.Pid }

// Team are workers with orders of one kind.
type Team[O fmt.Stringer, W any] []*Worker[O, W]

// StartTeam starts so many workers. Stop them, also after an error.
func StartTeam[O fmt.Stringer, W any](n int, binary string, args ...string) (Team[O, W], error) {
	var t Team[O, W]
	for range n {
		w, err := Start[O, W](binary, args...)
		if err != nil {
			return t, err
		}
		t = append(t, w)
	}
	return t, nil
}

// Each gives every worker its order at once, and waits for all answers, which are
// in the workers' order. At the first failure the others are killed.
func (t Team[O, W]) Each(ctx context.Context, order func(i int) O) ([]W, error) {
	g, ctx := errgroup.WithContext(ctx)
	words := make([]W, len(t))
	for i, w := range t {
		g.Go(func() (err error) {
			words[i], err = w.Ask(ctx, order(i))
			return err
		})
	}
	return words, g.Wait()
}

// Stop stops all, at the same time.
func (t Team[O, W]) Stop() error {
	errs := make([]error, len(t))
	var all sync.WaitGroup
	for i, w := range t {
		all.Go(func() { errs[i] = w.Stop() })
	}
	all.Wait()
	return errors.Join(errs...)
}
