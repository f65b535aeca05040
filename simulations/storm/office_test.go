package storm

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/report/reporttest"
)

// smallOffice is one of seconds.
func smallOffice() Office {
	o := Default().Office
	o.Clients, o.Addresses, o.Edges, o.AcceptRate, o.Rooms, o.Outage = 80, 2, 2, 15, 10, 40*time.Second
	o.Access.QueueKiB = 64
	o.Variants[1].Megabits = 2 // a narrow access, which all at once have to share
	return o
}

// All variants, small, and what each must show.
func TestOffices(t *testing.T) {
	s := Scenario{Edge: smallEdge(), Office: smallOffice()}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	o := s.Office
	all := results{}
	var err error
	if all.offices, err = playOffices(t.Context(), t, &o, 1, 5*time.Second, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := all.check(); err != nil {
		t.Error(err)
	}
	by := map[string]*Outcome{}
	for _, one := range all.offices {
		by[one.Variant.Name] = one
		if one.Back.N != o.Clients || one.Noticed.N != o.Clients || one.Noticed.All < 25 || one.Noticed.All > 40 {
			t.Errorf("%s: %d of %d came back; they noticed after %+v, and pings tell within 33 s", one.Variant.Name, one.Back.N, o.Clients, one.Noticed)
		}
		if one.Ledger.Expected == 0 || one.Ledger.Delivered != one.Ledger.Expected {
			t.Errorf("%s: %v", one.Variant.Name, one.Ledger)
		}
		if n := len(one.Line); n == 0 {
			t.Errorf("%s: nobody looked at the nodes", one.Variant.Name)
		} else if step := (one.Line[n-1].At - one.Line[0].At) / float64(n-1); math.Abs(step-lookTime.Seconds()) > 0.02 {
			t.Errorf("%s: the nodes are looked at each %.3f s", one.Variant.Name, step)
		}
		if one.Rate <= 0 || float64(one.Peak) < one.Rate {
			t.Errorf("%s: edges took %v/s, %d/s at the most", one.Variant.Name, one.Rate, one.Peak)
		}
		if total(one.CoreRequests) == 0 || one.Accepts["ok"] < o.Clients {
			t.Errorf("%s: the core was asked %v, and edges took %v", one.Variant.Name, one.CoreRequests, one.Accepts)
		}
	}
	jitter, once, uplink, core := by["jitter"], by["all at once"], by["uplink"], by["core away, too"]
	if jitter.Accepts["rate"]+jitter.Accepts["shed"] > once.Accepts["rate"]+once.Accepts["shed"] || once.Accepts["rate"] == 0 || once.LongestLine == 0 {
		t.Errorf("with jitter edges refused %v; of all at once %v, and %d waited in line: as many at once are not taken", jitter.Accepts, once.Accepts, once.LongestLine)
	}
	if jitter.Back.P50 < once.returns[5].Seconds() || jitter.Back.All > 20 {
		t.Errorf("with jitter clients are back after %+v: it is spread over 15 s", jitter.Back)
	}
	if uplink.Back.All > 12 || uplink.Tries > 1.2 {
		t.Errorf("behind a dead uplink clients are back after %+v, with %v tries each: TCP tries again meanwhile", uplink.Back, uplink.Tries)
	}
	if away := core.Variant.CoreAway.Seconds(); core.Back.P50 < away || core.Back.All > away+30 {
		t.Errorf("with the core away for %v s longer clients are back after %+v", away, core.Back)
	}
	if narrow, wide := max(once.Up.Longest, once.Down.Longest), max(jitter.Up.Longest, jitter.Down.Longest); narrow < 10*wide {
		t.Errorf("an access of 2 Mbit/s has packets of all at once wait for %v ms, one of %v with jitter for %v", narrow, o.Access.Megabits, wide)
	}
	t.Run("report", func(t *testing.T) {
		reported(t, &s, &all, "Who is back when", "Accepted per second", "How often clients try", "The access has 2 Mbit/s.", "away for 20s longer")
	})
	t.Run("what was lost is told", func(t *testing.T) {
		for what, broken := range map[string]func(*Outcome){
			"lost": func(o *Outcome) { o.Ledger.Lost = 1 }, "doubled": func(o *Outcome) { o.Ledger.Duplicated = 1 },
			"out of order": func(o *Outcome) { o.Ledger.OutOfOrder = 1 }, "afresh": func(o *Outcome) { o.Afresh = 1 },
		} {
			one := *all.offices[0]
			broken(&one)
			r := results{offices: []*Outcome{&one}}
			if err := r.check(); err == nil || !strings.Contains(err.Error(), one.Variant.Name) {
				t.Errorf("%s: the run is called %v", what, err)
			}
		}
	})
}

// reported looks at the files of a report.
func reported(t *testing.T, s *Scenario, all *results, pictures ...string) {
	r, err := newReport(s, all)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	reporttest.Page(t, dir, append(pictures, "What it can’t", "rooms_each: ", "CC BY 4.0", "lost, doubled or out of order")...)
	var file struct {
		Scenario string     `json:"scenario"`
		Network  []*Outcome `json:"network_time"`
		Host     hostTime   `json:"host_time"`
	}
	reporttest.File(t, dir, &file)
	if file.Scenario != s.String() {
		t.Errorf("the scenario of the report is another one: %s", file.Scenario)
	}
	if len(file.Network) != len(all.offices) || len(all.offices) > 0 && file.Network[0].Back != all.offices[0].Back {
		t.Errorf("%d worlds in the file, %d were played", len(file.Network), len(all.offices))
	}
	if (file.Host.Edge != nil) != (len(all.kills) > 0) || len(file.Host.Played) != len(all.offices) {
		t.Errorf("host time: %+v", file.Host)
	}
}

// An office that is interrupted ends, and says so.
func TestAnOfficeIsInterrupted(t *testing.T) {
	o := smallOffice()
	begin := time.Now()
	_, err := (&office{Office: &o, variant: o.Variants[0], seed: 1}).play(ended{t.Context()}, t)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after %v: ended with %v", time.Since(begin), err)
	}
}

// ended is a context that was cancelled, without a channel that a bubble could meet.
type ended struct{ context.Context }

func (ended) Err() error { return context.Canceled }
