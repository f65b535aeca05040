package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// order is one JSON line to a worker; Do says which fields matter.
type order struct {
	Do string `json:"do"`

	// To clients.
	Group    string   `json:"group,omitempty"`
	URLs     []string `json:"urls,omitempty"`  // sockets take turns
	User     string   `json:"user,omitempty"`  // prefix of the users' ids
	First    int      `json:"first,omitempty"` // number of the first of them; of the first message or packet
	Count    int      `json:"count,omitempty"`
	InFlight int      `json:"in_flight,omitempty"`
	CA       string   `json:"ca,omitempty"`     // file; for wss
	Frames   int64    `json:"frames,omitempty"` // that end the round, of all sockets
	Millis   int64    `json:"ms,omitempty"`

	// To a floor.
	Welcome int    `json:"welcome,omitempty"` // bytes of its payload
	Texts   Texts  `json:"texts,omitzero"`
	Channel string `json:"channel,omitempty"`
	Batch   int    `json:"batch,omitempty"` // frames per system call
}

// word is the one JSON line that answers an order.
type word struct {
	Error string `json:"error,omitempty"`

	URL      string  `json:"url,omitempty"`
	Nanos    []int64 `json:"nanos,omitempty"`
	Welcome  int     `json:"welcome,omitempty"` // bytes of the last welcome's payload
	Frames   int64   `json:"frames,omitempty"`
	Bytes    int64   `json:"bytes,omitempty"`
	Start    int64   `json:"start,omitempty"` // Now
	End      int64   `json:"end,omitempty"`
	Sockets  int     `json:"sockets,omitempty"`
	Complete bool    `json:"complete,omitempty"`
	Stats    Stats   `json:"stats,omitzero"`
}

// obey answers orders until in ends, or ctx does between two of them.
func obey(ctx context.Context, in io.Reader, out io.Writer, handle func(context.Context, *order) (word, error)) error {
	orders := bufio.NewReader(in)
	for ctx.Err() == nil {
		line, err := orders.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var o order
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		w, err := handle(ctx, &o)
		if err != nil {
			w.Error = err.Error()
		}
		b, err := json.Marshal(w)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("answer %q: %w", o.Do, err)
		}
	}
	return nil
}

// worker is a process that takes orders, seen from its parent. Orders are given
// one after the other; safe for concurrent use.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	log strings.Builder

	mu  sync.Mutex
	out *bufio.Reader // guarded by mu
}

// leaveTime is how long a worker may take to end when its orders have.
const leaveTime = 10 * time.Second

// startWorker starts `binary args...`, which must read orders.
func startWorker(binary string, args ...string) (*worker, error) {
	w := &worker{cmd: exec.Command(binary, args...)}
	w.cmd.Stderr = &w.log
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	return w, nil
}

// ask gives an order and waits for its answer, or until ctx ends: then the
// worker is killed, because nobody knows any more what it is doing.
func (w *worker) ask(ctx context.Context, o order) (word, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = w.cmd.Process.Kill() })
	defer stop()
	b, err := json.Marshal(o)
	if err != nil {
		return word{}, err
	}
	var line []byte
	if _, err = w.in.Write(append(b, '\n')); err == nil {
		line, err = w.out.ReadBytes('\n')
	}
	if err != nil {
		return word{}, errors.Join(ctx.Err(), fmt.Errorf("%s: %w", o.Do, err))
	}
	var answer word
	if err := json.Unmarshal(line, &answer); err != nil {
		return answer, fmt.Errorf("%s: %w", o.Do, err)
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("%s: %s", o.Do, answer.Error)
	}
	return answer, nil
}

// stop ends the worker by ending its orders, and waits for it.
func (w *worker) stop() error {
	_ = w.in.Close() // it may be gone already
	kill := time.AfterFunc(leaveTime, func() { _ = w.cmd.Process.Kill() })
	defer kill.Stop()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(w.cmd.Args[1:], " "), err, strings.TrimSpace(w.log.String()))
	}
	return nil
}

// pid is the process.
func (w *worker) pid() int { return w.cmd.Process.Pid }
