package storm

import (
	"math"
	"time"

	"selvedge/simulations/ledger"
	"selvedge/simulations/netsim"
)

// Outcome is what became of an office. Times are network time, but for Wall.
type Outcome struct {
	Variant Variant `json:"variant"`
	Clients int     `json:"clients"`
	// Noticed is from the loss of the network until clients knew of it, Back from its
	// return until they were welcome again.
	Noticed Spread  `json:"noticed"`
	Back    Spread  `json:"back"`
	Rate    float64 `json:"accepted_per_s"`      // welcomes/s from the first to 90 % of them
	Peak    int     `json:"accepted_per_s_peak"` // in the busiest tenth of a second, times ten
	// Tries are those of a client from the network's return on, its last included.
	Tries        float64        `json:"tries_mean"`
	MostTries    int            `json:"tries_most"`
	InVain       int            `json:"tries_while_away"` // of all clients, before the network was back
	Accepts      map[string]int `json:"accepts"`          // at the edges, by result, from the loss on
	LongestLine  int            `json:"longest_line"`     // of those that waited at all edges at once, as seen each half second
	CoreRequests map[string]int `json:"core_requests"`    // by kind, from the loss on
	Up           Through        `json:"access_up"`
	Down         Through        `json:"access_down"`
	Ledger       ledger.Result  `json:"ledger"`
	Afresh       int            `json:"afresh"` // that were told to start afresh
	Line         []Moment       `json:"line"`

	Virtual time.Duration `json:"-"`
	Wall    time.Duration `json:"-"`
	Packets uint64        `json:"-"`

	problems []string
	returns  []time.Duration // of clients that were away, since the network's return; sorted
	tries    []time.Duration // since the loss
	outage   time.Duration
}

// Through is what went one way through the office's access.
type Through struct {
	Bytes   uint64  `json:"bytes"`
	Lost    uint64  `json:"packets_lost"` // for want of room in its queue
	Longest float64 `json:"longest_wait_ms"`
}

func through(b netsim.Busy) Through {
	return Through{b.Bytes, b.Lost, math.Round(float64(b.Longest)/1e3) / 1e3}
}

// outcome tells what became of a storm that began at one time, and whose network was
// back at another.
func (o *office) outcome(begin, back time.Duration, before, after counts) *Outcome {
	out := &Outcome{
		Variant: o.variant, Clients: o.Clients, Line: o.line, outage: o.Outage,
		Accepts: grew(after.accepts, before.accepts), CoreRequests: grew(after.requests, before.requests),
		Ledger: o.rec.book.Result(), Virtual: o.w.Net.Since(), Packets: o.w.Net.Stats().Sent,
		problems: o.rec.book.Problems(5),
	}
	up, down := o.w.Net.Busy(o.access)
	out.Up, out.Down = through(up), through(down)
	trips, tries := o.rec.journeys()
	out.travelled(trips, tries, begin, back)
	for _, m := range o.line {
		out.LongestLine = max(out.LongestLine, m.Waiting)
	}
	return out
}

// travelled tells what clients did. One that had more than one trip is back with the
// last.
func (out *Outcome) travelled(trips []Trip, tries []time.Duration, begin, back time.Duration) {
	first, last := map[int]Trip{}, map[int]Trip{}
	for _, t := range trips {
		if _, again := first[t.Member]; !again {
			first[t.Member] = t
		}
		last[t.Member] = t
		if t.Afresh {
			out.Afresh++
		}
	}
	var noticed []time.Duration
	for _, t := range first {
		noticed = append(noticed, t.Lost-begin)
	}
	for _, t := range last {
		out.returns = append(out.returns, max(0, t.Back-back))
	}
	out.Noticed, out.Back = spread(noticed), spread(out.returns)
	out.Rate, out.Peak = pace(out.returns)
	for _, t := range tries {
		out.tries = append(out.tries, t-begin)
		if t < back {
			out.InVain++
		}
	}
	if n := len(last); n > 0 {
		out.Tries = float64(len(tries)-out.InVain) / float64(n)
	}
	for _, t := range trips {
		out.MostTries = max(out.MostTries, t.Tries)
	}
}
