package geo

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

// small is a scenario of seconds.
func small() Scenario {
	s := Default()
	s.Regions = []string{"eastus", "germanywestcentral", "southeastasia"}
	s.ClientsPerRegion, s.For, s.EdgesPerRegion, s.PublishesPerMinute = 3, 20*time.Second, 2, 60
	s.Trouble = Trouble{
		For: 90 * time.Second, Outage: "germanywestcentral", OutageAt: 10 * time.Second, OutageFor: 45 * time.Second,
		Reroute: []string{"southeastasia"}, RerouteAt: 70 * time.Second, RerouteFor: 15 * time.Second, Detour: 120 * time.Millisecond,
	}
	s.Day.From, s.Day.For, s.Day.Lapse, s.Day.ClientsPerRegion = 10, time.Hour, 100, 1
	return s
}

func near(got, want, within float64) bool { return math.Abs(got-want) <= within }

// All worlds, small, and what each must show.
func TestWorlds(t *testing.T) {
	s := small()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	plans := worlds(&s, a, 1)
	for _, p := range plans {
		p.settle, p.idle = 10*time.Second, 5*time.Second
	}
	all, err := playAll(t.Context(), t, plans, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.check(); err != nil {
		t.Error(err)
	}
	for name, o := range all {
		if o.Published < 30 || o.Deliveries != o.Published*o.Clients {
			t.Errorf("%s: %d published, %d deliveries to %d clients", name, o.Published, o.Deliveries, o.Clients)
		}
	}
	t.Run("to edges it takes half of the table's round trip", func(t *testing.T) { toEdges(t, all[nearest]) })
	t.Run("without jitter and loss nothing is drawn", func(t *testing.T) { nothingDrawn(t, all[still]) })
	t.Run("a near edge welcomes sooner", func(t *testing.T) { soonerWelcome(t, all[nearest], all[central]) })
	t.Run("a relay crosses once", func(t *testing.T) { crossesOnce(t, all[relays], all[strange]) })
	t.Run("clients of a dead region go elsewhere", func(t *testing.T) { goElsewhere(t, all[trouble]) })
	t.Run("a detour takes what it takes", func(t *testing.T) { takesDetour(t, all[trouble]) })
	t.Run("in the working day nodes probe each other less often", func(t *testing.T) { probesSeldom(t, all[nearest], all[workday]) })
	t.Run("what was not delivered is told", func(t *testing.T) { isTold(t, all) })
	t.Run("report", func(t *testing.T) { reported(t, &s, a, all) })
}

// What an edge sees is half of the table's round trip, and a region has each message
// once.
func toEdges(t *testing.T, o *Outcome) {
	for _, r := range o.Regions {
		if !near(r.CoreToEdge.P50, r.HalfRTT, 2) {
			t.Errorf("%s: p50 from the core to the edge is %v ms, and half of the table's round trip %v", r.Name, r.CoreToEdge.P50, r.HalfRTT)
		}
		if r.EdgeToClient.N != r.CoreToClient.N || r.EdgeToClient.P50 < 2 || r.EdgeToClient.P50 > 30 {
			t.Errorf("%s: %+v from the edge to clients, whose last miles are 2 to 25 ms", r.Name, r.EdgeToClient)
		}
	}
	// From Singapore to Germany by the core: half of each round trip, and a last mile.
	if want := 112 + 47.0; o.Matrix[2][1] < want || o.Matrix[2][1] > want+30 {
		t.Errorf("from Southeast Asia to clients in Germany: %v ms, and the ways alone are %v", o.Matrix[2][1], want)
	}
	frames, bytes, quiet := int64(0), int64(0), int64(0)
	for _, r := range o.Regions[1:] { // the first is the core's, and all links are its
		frames, bytes, quiet = frames+r.OceanFrames, bytes+r.OceanBytes, quiet+r.QuietBytes
		if r.OceanFrames != int64(o.Published) || r.OceanBytes < 512*r.OceanFrames {
			t.Errorf("%s: %d frames and %d bytes for %d messages", r.Name, r.OceanFrames, r.OceanBytes, o.Published)
		}
	}
	if frames != o.OceanFrames || bytes != o.Oceans.Links || quiet != o.Quiet.Links || o.Regions[0].OceanBytes != bytes {
		t.Errorf("%d frames, %d bytes and %d in a silent time, by region, of %d, %d and %d", frames, bytes, quiet, o.OceanFrames, o.Oceans.Links, o.Quiet.Links)
	}
	if o.OceanFrames != 2*int64(o.Published) {
		t.Errorf("%d frames between regions for %d messages: two regions should have each once", o.OceanFrames, o.Published)
	}
}

func nothingDrawn(t *testing.T, o *Outcome) {
	if o.PacketsLost != 0 {
		t.Errorf("%d packets were lost", o.PacketsLost)
	}
	for _, r := range o.Regions {
		if !near(r.CoreToEdge.P50, r.HalfRTT, 0.1) || !near(r.CoreToEdge.P99, r.HalfRTT, 0.1) {
			t.Errorf("%s: %+v to the edge, which is %v ms away", r.Name, r.CoreToEdge, r.HalfRTT)
		}
	}
}

func soonerWelcome(t *testing.T, near, far *Outcome) {
	if a, b := near.Regions[2].Welcome.P50, far.Regions[2].Welcome.P50; a*1.5 > b {
		t.Errorf("in Southeast Asia a client is welcomed after %v ms by its own edge, and after %v by the core's", a, b)
	}
	if far.OceanFrames != 0 || crossed(far) != 6 {
		t.Errorf("with all edges in the core's region %d frames went between regions, and %v messages per publish to clients elsewhere: six are", far.OceanFrames, crossed(far))
	}
}

func crossesOnce(t *testing.T, tree, none *Outcome) {
	if perPublish(tree) != 2 || perPublish(none) != 4 {
		t.Errorf("per publish %v frames between regions with relays, %v without: two and four regions' edges are there", perPublish(tree), perPublish(none))
	}
	if a, b := kib(tree, links), kib(none, links); a*1.5 > b {
		t.Errorf("per publish %v KiB between regions with relays, and %v without", a, b)
	}
}

func probesSeldom(t *testing.T, often, seldom *Outcome) {
	if seldom.plan.probe != 2*time.Second || seldom.Quiet.Other*3 > often.Quiet.Other*2 {
		t.Errorf("gossip is %d bytes between regions in a silent time with a probe every %v, and %d with two a second", seldom.Quiet.Other, seldom.plan.probe, often.Quiet.Other)
	}
}

func goElsewhere(t *testing.T, o *Outcome) {
	s := o.plan.scenario
	m := o.moved(1)
	if len(m.away) != s.ClientsPerRegion {
		t.Errorf("%d of %d clients left their region's dead edge: %+v", len(m.away), s.ClientsPerRegion, o.Moves)
	}
	for _, v := range m.away {
		if noticed := v.Lost - s.Trouble.OutageAt; v.To != "eastus" || noticed > 40*time.Second || v.At-v.Lost > 5*time.Second {
			t.Errorf("%+v: not to the next region, or late", v)
		}
	}
}

func takesDetour(t *testing.T, o *Outcome) {
	trouble := o.plan.scenario.Trouble
	var before, during []time.Duration
	for _, a := range o.toClient[2] {
		msg := o.messages[a.n]
		switch at := msg.sent - o.begin; {
		case at > trouble.RerouteAt+time.Second && at < trouble.RerouteAt+trouble.RerouteFor-time.Second:
			during = append(during, a.at-msg.accepted)
		case at < trouble.RerouteAt-time.Second:
			before = append(before, a.at-msg.accepted)
		}
	}
	// Half of the detour goes each way.
	if a, b := quantiles(before).P50, quantiles(during).P50; !near(b-a, 60, 10) {
		t.Errorf("to Southeast Asia it takes %v ms, and %v by the detour of 120 ms there and back", a, b)
	}
}

func isTold(t *testing.T, all results) {
	o := all[rough]
	for what, broken := range map[string]Outcome{"missing": {Missing: 1}, "twice": {Twice: 1}, "trouble": {Trouble: []string{"u0 found a hole"}}} {
		all[rough] = &broken
		if err := all.check(); err == nil || !strings.Contains(err.Error(), rough) {
			t.Errorf("%s: the run is called %v", what, err)
		}
	}
	all[rough] = o
}

// reported looks at the files: whole, for themselves, and with all that a reader must
// know.
func reported(t *testing.T, s *Scenario, a *atlas, all results) {
	r, err := newReport(s, a, all)
	if err != nil {
		t.Fatal(err)
	}
	r.Command, r.Seed = "selvedge simulate geo --seed 1", 1
	dir := t.TempDir()
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	page := reporttest.Page(t, dir, "selvedge simulate geo --seed 1", "What it can’t", "clients_per_region: 3", "CC BY 4.0", "Southeast Asia", "Germany West Central’s own edge", "Host time")
	if n := strings.Count(page, "<svg "); n != 11 {
		t.Errorf("%d pictures", n)
	}
	var file struct {
		Scenario string             `json:"scenario"`
		Network  map[string]Outcome `json:"network_time"`
	}
	reporttest.File(t, dir, &file)
	if file.Scenario != s.String() {
		t.Errorf("the scenario of the report is another one: %s", file.Scenario)
	}
	if got, want := file.Network[nearest].Regions[2].CoreToEdge, all[nearest].Regions[2].CoreToEdge; got != want {
		t.Errorf("the file has %+v, and %+v was seen", got, want)
	}
}

// Without jitter and loss there are no dice: the same seed shows the same again.
func TestTheSameSeedShowsTheSame(t *testing.T) {
	s := small()
	s.For, s.PublishesPerMinute = 15*time.Second, 120
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	var runs [2]*Outcome
	for i := range runs {
		p := newPlan(still, &s, a, 7, 1)
		p.jitter, p.loss, p.settle, p.idle = 0, 0, time.Second, time.Second
		if runs[i], err = p.play(t.Context(), t); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range runs[0].Regions {
		again := runs[1].Regions[i]
		if r.CoreToEdge != again.CoreToEdge || r.CoreToClient != again.CoreToClient || r.SendToClient != again.SendToClient {
			t.Errorf("the same seed twice:\n%+v\n%+v", r, again)
		}
	}
	if runs[0].Published != runs[1].Published || runs[0].OceanFrames != runs[1].OceanFrames {
		t.Errorf("%d published and %d frames, then %d and %d", runs[0].Published, runs[0].OceanFrames, runs[1].Published, runs[1].OceanFrames)
	}
}

func TestADayIsLoudestAtItsPeaks(t *testing.T) {
	var mean float64
	best := 0.0
	for i := range 2400 {
		hour := float64(i) / 100
		mean += shape(hour) / 2400
		if shape(hour) > shape(best) {
			best = hour
		}
		if !near(shape(hour), shape(hour+24), 1e-9) || !near(shape(hour), shape(hour-24), 1e-9) {
			t.Fatalf("a day later than %v it is another hour", hour)
		}
	}
	if !near(mean, 1, 0.001) || !near(best, 11, 0.3) || shape(3) > shape(11)/10 {
		t.Errorf("the mean is %v, the loudest hour %v, and at night it is %v", mean, best, shape(3))
	}
	if shape(11) < 1.05*shape(12.5) || shape(14) < 1.05*shape(12.5) || shape(14) < shape(15.5) {
		t.Errorf("no peak at 14:00: %v, %v, %v", shape(12.5), shape(14), shape(15.5))
	}
	if spike(9, 2) != 3 || spike(9.5, 2) > 1.01 {
		t.Errorf("at the full hour %v, half an hour later %v", spike(9, 2), spike(9.5, 2))
	}
}

// A plan that is interrupted ends, and says so.
func TestInterrupted(t *testing.T) {
	s := small()
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	ctx := ended{t.Context()}
	if _, err := newPlan(nearest, &s, a, 1, 1).play(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// ended is a context that was cancelled, without a channel that a bubble could meet.
type ended struct{ context.Context }

func (ended) Err() error { return context.Canceled }
