package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

const (
	// massProcess is how many members a process holds, far below the usual limit
	// of 20,000 files.
	massProcess = 10_000
	// massBurst is how many members connect at once at the beginning.
	massBurst = 250
)

// massOrder is one JSON line to a process of members; Do says which fields matter.
type massOrder struct {
	Do string `json:"do"`

	// connect
	URLs         []string `json:"urls,omitempty"`
	Crowd        [3]int   `json:"crowd"` // rooms, members, perMember
	First, Count int

	Killed int `json:"killed"` // back: the number of the edge whose members have to be elsewhere

	Acked map[wire.Channel]int `json:"acked,omitempty"` // account: by channel, the numbers below are acknowledged
}

// massWord is the JSON line that answers.
type massWord struct {
	Error string `json:"error,omitempty"`

	// back
	Movers int   `json:"movers"`
	Last   int64 `json:"last"` // when the last one was welcome, Unix milliseconds

	// account
	Result  ledger.Result `json:"result"`
	Resumed int64         `json:"resumed"`
	Afresh  int64         `json:"afresh"`
}

// MembersCommand is a process of members. It is started by Command.
type MembersCommand struct{}

// Run obeys orders until there are no more.
func (*MembersCommand) Run(ctx context.Context, stdio *config.IO) error {
	p := &massMembers{run: &run{name: "members", stall: stallTime, stderr: stdio.Stderr, book: ledger.New()}}
	defer p.end()
	in, out := json.NewDecoder(stdio.Stdin), json.NewEncoder(stdio.Stdout)
	for {
		var o massOrder
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		w, err := p.obey(ctx, &o)
		if err != nil {
			w.Error = err.Error()
		}
		if err := out.Encode(w); err != nil {
			return err
		}
	}
}

// massMembers are the members of this process.
type massMembers struct {
	*run
	first, edges int
}

func (p *massMembers) obey(ctx context.Context, o *massOrder) (w massWord, err error) {
	switch o.Do {
	case "connect":
		p.first, p.edges = o.First, len(o.URLs)
		return w, p.connectSome(ctx, crowd{o.Crowd[0], o.Crowd[1], o.Crowd[2]}, o.URLs, o.First, o.Count)
	case "back":
		err = p.until(ctx, backTime, "everyone is back", func() bool {
			w.Movers = 0
			for i, m := range p.members {
				if (p.first+i)%p.edges == o.Killed {
					if m.welcomes.Load() < 2 {
						return false
					}
					w.Movers++
				}
			}
			return true
		})
		w.Last = time.Now().UnixMilli()
		return w, err
	case "account":
		p.load = &publishers{} // they are the parent's
		for ch, n := range o.Acked {
			for i := range n {
				p.book.Acknowledged(ch, i)
			}
		}
		err = p.settle(ctx)
		w.Result = p.book.Result()
		for _, m := range p.members {
			w.Resumed += m.resumed.Load()
			w.Afresh += m.afresh.Load()
		}
		if errors.Is(err, errBroken) && !w.Result.Kept() {
			err = nil // the parent sees it in the result
		}
		return w, err
	}
	return w, fmt.Errorf("unknown order %q", o.Do)
}

// mass is processes of members, seen from their parent.
type mass struct {
	workers []*massWorker
}

type massWorker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	log strings.Builder
}

// startMass starts processes for so many members; close them, also after an error.
func startMass(binary string, members int) (*mass, error) {
	m := &mass{}
	for range (members + massProcess - 1) / massProcess {
		w := &massWorker{cmd: exec.Command(binary, "bench", "fault-members")}
		w.cmd.Stderr = &w.log
		var err error
		if w.in, err = w.cmd.StdinPipe(); err != nil {
			return m, err
		}
		out, err := w.cmd.StdoutPipe()
		if err != nil {
			return m, err
		}
		w.out = json.NewDecoder(out)
		if err := w.cmd.Start(); err != nil {
			return m, err
		}
		m.workers = append(m.workers, w)
	}
	return m, nil
}

// each gives an order to every process, and waits for all answers. order may
// change what o says to process i.
func (m *mass) each(ctx context.Context, order func(i int) massOrder) ([]massWord, error) {
	defer context.AfterFunc(ctx, m.kill)()
	for i, w := range m.workers {
		if err := json.NewEncoder(w.in).Encode(order(i)); err != nil {
			return nil, fmt.Errorf("members: %w: %s", err, &w.log)
		}
	}
	words := make([]massWord, len(m.workers))
	var errs []error
	for i, w := range m.workers {
		if err := w.out.Decode(&words[i]); err != nil {
			errs = append(errs, fmt.Errorf("members: %w: %s", err, &w.log))
		} else if words[i].Error != "" {
			errs = append(errs, fmt.Errorf("members: %s", words[i].Error))
		}
	}
	return words, errors.Join(errs...)
}

func (m *mass) kill() {
	for _, w := range m.workers {
		_ = w.cmd.Process.Kill()
	}
}

// close ends the processes.
func (m *mass) close() {
	for _, w := range m.workers {
		_ = w.in.Close()
		_ = w.cmd.Wait() // what it had to say, it said
	}
}
