package storm

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// smallEdge is a storm of seconds.
func smallEdge() Edge {
	return Edge{Sockets: 60, Siblings: 2, Residents: 10, Rooms: 10, RoomsEach: 3, PublishesPerSecond: 50, Runs: 1}
}

func TestAnEdgeIsKilled(t *testing.T) {
	s := Scenario{Edge: smallEdge(), Office: smallOffice()}
	e := &s.Edge
	out, err := (&kill{Edge: e, say: t.Logf}).play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := results{kills: []*Kill{out}}
	if err := all.check(); err != nil {
		t.Error(err)
	}
	if out.Ledger.Delivered == 0 || out.Ledger.Expected != out.Ledger.Delivered {
		t.Errorf("%v: %v", out.Ledger, out.problems)
	}
	if out.Back.N != e.Sockets || out.Disturbed != 0 || out.Accepts["ok"] < e.Sockets || total(out.CoreRequests) == 0 {
		t.Errorf("%+v of %d are back, %d others were disturbed; siblings took %v, the core was asked %v", out.Back, e.Sockets, out.Disturbed, out.Accepts, out.CoreRequests)
	}
	if out.Calm.N == 0 || out.Storm.N == 0 || out.EdgeCPU < 0 || out.Lost.All <= 0 || out.Lost.All > out.Back.All || len(out.Line) == 0 || len(out.CPU) == 0 {
		t.Errorf("%+v", out)
	}
	if got := out.Line[len(out.Line)-1].Sockets; len(got) != 3 || got[0] != 0 || got[1]+got[2] != e.Sockets+2*e.Residents {
		t.Errorf("%v sockets at the end", got)
	}
	t.Run("report", func(t *testing.T) {
		reported(t, &s, &all, "Accepted per second", "Resumes that are outstanding", "What the others notice")
	})
	t.Run("what was lost is told", func(t *testing.T) {
		for what, broken := range map[string]func(*Kill){
			"lost": func(k *Kill) { k.Ledger.Lost = 1 }, "doubled": func(k *Kill) { k.Ledger.Duplicated = 1 }, "out of order": func(k *Kill) { k.Ledger.OutOfOrder = 1 },
			"afresh": func(k *Kill) { k.Afresh = 1 }, "not back": func(k *Kill) { k.Back.N-- }, "disturbed": func(k *Kill) { k.Disturbed = 1 },
			"asked too much": func(k *Kill) {
				k.Rate, k.CoreRequests = 1000, map[string]int{"hello": eagerQuestions * e.Siblings, "fill": 1}
			},
		} {
			one := *out
			broken(&one)
			r := results{kills: []*Kill{&one}}
			if err := r.check(); err == nil || !strings.Contains(err.Error(), "run 1") {
				t.Errorf("%s: the run is called %v", what, err)
			}
		}
	})
}

// A storm that is interrupted ends what it started.
func TestAKillIsInterrupted(t *testing.T) {
	e := smallEdge()
	ctx, cancel := context.WithCancel(t.Context())
	k := &kill{Edge: &e, say: func(format string, _ ...any) {
		if strings.Contains(format, "members in") {
			cancel()
		}
	}}
	if _, err := k.play(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	for _, n := range append(k.fleet.Edges, k.fleet.Core) {
		select {
		case <-n.Done():
		default:
			t.Errorf("%s still runs", n.Name)
		}
	}
}
