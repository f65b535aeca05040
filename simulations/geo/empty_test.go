package geo

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/report"
)

// emptied are all worlds, in which nothing was published.
func emptied(t *testing.T) (*Scenario, *atlas, results) {
	t.Helper()
	s := small()
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	all := results{}
	for _, p := range worlds(&s, a, 1) {
		all[p.name] = newRecorder(len(a.regions)).outcome(p)
	}
	return &s, a, all
}

// Where nothing was published there is nothing to report, and that is told. No picture panics.
func TestNothingWasPublished(t *testing.T) {
	s, a, all := emptied(t)
	if _, err := newReport(s, a, all); err == nil || !strings.Contains(err.Error(), "nearest edge: nothing was published in 20s") {
		t.Errorf("the report: %v", err)
	}
	for i, section := range []func(*atlas, results) (report.Section, error){wherever, nearOrFar, relayed, weather, troubled, working} {
		part, err := section(a, all)
		if err != nil {
			t.Errorf("section %d: %v", i, err)
		}
		for _, f := range part.Figures {
			if strings.Contains(string(f.SVG), "NaN") {
				t.Errorf("%s: a point is nowhere", f.Title)
			}
		}
	}
	p := all[nearest].plan
	some, none := pretend(p, 1, 10, 50, 60, 70, 80), all[nearest]
	if _, err := (&crossing{plan: p, virtual: some, real: none}).report(); err == nil || !strings.Contains(err.Error(), "nothing was published") {
		t.Errorf("beside real processes: %v", err)
	}
}

// A region whose clients got nothing for five seconds has no point there, on an axis that has no zero.
func TestARegionThatGotNothing(t *testing.T) {
	_, _, all := emptied(t)
	o := all[trouble]
	o.messages = []message{{sent: time.Second, accepted: time.Second}}
	o.toClient[0] = []arrival{{0, 1100 * time.Millisecond}}
	if _, err := latencyLine(o, []int{0, 1}); err != nil {
		t.Error(err)
	}
}

// Between two regions without a message there is no time, which is not 0 ms.
func TestAPairWithoutMessages(t *testing.T) {
	_, a, _ := emptied(t)
	rec := newRecorder(len(a.regions))
	s := small()
	rec.messages = []message{{region: 1}}
	rec.arrivals[2] = []arrival{{0, 100 * time.Millisecond}}
	m := rec.outcome(newPlan(nearest, &s, a, 1, 1)).Matrix
	if m[1][2] != 100 || !math.IsNaN(m[2][1]) {
		t.Errorf("%v", m)
	}
	text, err := json.Marshal(m[1:])
	if want := "[[null,null,100],[null,null,null]]"; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// The slowest welcome is called so: the 99th of a hundred clients is no quantile.
func TestWelcomesAreNamed(t *testing.T) {
	_, a, all := emptied(t)
	all[nearest].Welcome = Quantiles{N: 9, P99: 33, Max: 44}
	s, err := nearOrFar(a, all)
	if err != nil {
		t.Fatal(err)
	}
	for i, head := range s.Tables[0].Head {
		if head == "slowest" && s.Tables[0].Rows[0][i] == "44.0" {
			return
		}
	}
	t.Errorf("%+v", s.Tables[0])
}
