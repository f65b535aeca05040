package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/ledger"
	"selvedge/simulations/orders"
	"selvedge/wire"
)

const (
	// massProcess is how many members a process holds, far below the usual limit
	// of 20,000 files.
	massProcess = 10_000
	// massBurst is how many members connect at once at the beginning.
	massBurst = 250
)

// massOrder is what a process of members is told; Do says which fields matter.
type massOrder struct {
	Do string `json:"do"`

	// connect
	URLs         []string `json:"urls,omitempty"`
	Crowd        [3]int   `json:"crowd"` // rooms, members, perMember
	First, Count int

	Killed int `json:"killed"` // back: the number of the edge whose members have to be elsewhere

	Acked map[wire.Channel]int `json:"acked,omitempty"` // account: by channel, the numbers below are acknowledged
}

func (o massOrder) String() string { return "members: " + o.Do }

// massWord is what answers.
type massWord struct {
	// back
	Movers int   `json:"movers"`
	Last   int64 `json:"last"` // when the last one was welcome, Unix milliseconds

	// account
	Result   ledger.Result `json:"result"`
	Problems []string      `json:"problems,omitempty"`
	Resumed  int64         `json:"resumed"`
	Afresh   int64         `json:"afresh"`
}

// MembersCommand is a process of members. It is started by Command.
type MembersCommand struct{}

// Run obeys orders until there are no more.
func (*MembersCommand) Run(ctx context.Context, stdio *config.IO) error {
	p := &massMembers{run: &run{name: "members", stall: stallTime, stderr: stdio.Stderr, book: ledger.New()}}
	defer p.end()
	return orders.Obey(ctx, stdio.Stdin, stdio.Stdout, p.obey)
}

// massMembers are the members of this process.
type massMembers struct {
	*run
	first, edges int
}

func (p *massMembers) obey(ctx context.Context, o massOrder) (w massWord, err error) {
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
		if err != nil {
			err = fmt.Errorf("%w: %s", err, whatabouts(p.members))
		}
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
			w.Problems, err = p.book.Problems(20), nil // the parent sees it in the result
		}
		return w, err
	}
	return w, fmt.Errorf("unknown order %q", o.Do)
}

// mass is processes of members, seen from their parent.
type mass = orders.Team[massOrder, massWord]

// startMass starts processes for so many members; stop them, also after an error.
func startMass(binary string, members int) (mass, error) {
	return orders.StartTeam[massOrder, massWord]((members+massProcess-1)/massProcess, binary, "bench", "fault-members")
}
