package planet

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the default scenario in the middle of its ranges.
func model(t *testing.T, change func(*Scenario)) *sizing {
	t.Helper()
	s := Default()
	if change != nil {
		change(&s)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	c, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	f := middle(&s, &c)
	return &sizing{&s, a, &f}
}

// Who is at how many edges, by the formula and by throwing dice for each member.
func TestAudiencesAreThoseOfDice(t *testing.T) {
	z := model(t, nil)
	dice := rand.New(rand.NewPCG(3, 4))
	per := z.a.spread(60)
	for _, members := range []float64{2, 8, 60, 1000} {
		awake := make([]float64, len(per))
		for r := range awake {
			awake[r] = 0.05 + 0.02*float64(r)
		}
		const home = 4
		w := flow{in: make([]byRegion, len(per))}
		for r := range w.in {
			w.add(r, 1, z.a.seat(z.f, members, r, r == home, awake[r], per[r]), z.f, r != z.a.core)
		}
		deliveries, siblings := 0.0, 0.0
		for _, in := range w.in {
			deliveries, siblings = deliveries+in.deliveries, siblings+in.siblings
		}

		rounds := min(2000, 200_000/members) // of many members fewer tell as much
		var regions, gates, online, others float64
		for range int(rounds) {
			at := map[[2]int]bool{{home, dice.IntN(per[home])}: true}
			online++
			for range int(members) - 1 {
				r := home
				if dice.Float64() > z.f.locality {
					for pick := dice.Float64(); ; {
						if r = dice.IntN(len(per)); pick*0.2 < z.a.share[r] {
							break
						}
						pick = dice.Float64()
					}
				}
				if dice.Float64() < awake[r] {
					at[[2]int{r, dice.IntN(per[r])}] = true
					online++
				}
			}
			in := map[int]bool{}
			relays := map[int]int{}
			for spot := range at {
				if !in[spot[0]] {
					in[spot[0]], relays[spot[0]] = true, dice.IntN(per[spot[0]])
				}
			}
			for spot := range at {
				if spot[1] != relays[spot[0]] {
					others++
				}
			}
			regions, gates = regions+float64(len(in)), gates+float64(len(at))
		}
		for what, v := range map[string][2]float64{
			"regions": {w.frames, regions / rounds}, "edges": {w.gates, gates / rounds}, "deliveries": {deliveries / z.f.sessions, online / rounds}, "siblings": {siblings, others / rounds},
		} {
			if !near(v[0], v[1], 0.06) {
				t.Errorf("%v members: %.3f %s by the formula, and %.3f by dice", members, v[0], what, v[1])
			}
		}
	}
}

func TestNobodyIsCountedTwice(t *testing.T) {
	z := model(t, nil)
	for _, edges := range []int{12, 60, 2000} {
		per := z.a.spread(edges)
		for h, w := range z.a.day(z.f, per) {
			sockets, deliveries := 0.0, 0.0
			for _, in := range w.in {
				sockets, deliveries = sockets+in.sockets, deliveries+in.deliveries
			}
			if w.frames < w.publishes || w.frames > w.publishes*float64(len(per)) || w.gates < w.frames*0.9999 || w.gates > w.publishes*float64(edges) || w.gates > deliveries*1.0001 {
				t.Errorf("%d edges, %d h: %+v", edges, 2*h, w)
			}
			if most := z.f.online * z.f.sessions; sockets <= 0 || sockets > most {
				t.Errorf("%d h: %v sockets for each user, at most %v", 2*h, sockets, most)
			}
			if w.oceanFrames > w.frames || w.oceanGates > w.gates {
				t.Errorf("%d h: more crosses oceans than is sent: %+v", 2*h, w)
			}
		}
	}
}

// With one edge in each region a relay has no siblings, and direct routing is the same.
func TestRelaysAreForSeveralEdges(t *testing.T) {
	z := model(t, nil)
	per := make([]int, len(z.a.share))
	for r := range per {
		per[r] = 1
	}
	for _, w := range z.a.day(z.f, per) {
		if !near(w.gates, w.frames, 1e-9) || !near(w.oceanGates, w.oceanFrames, 1e-9) {
			t.Errorf("one edge each: %v frames, %v to edges", w.frames, w.gates)
		}
		for r, in := range w.in {
			if in.siblings != 0 {
				t.Errorf("region %d: %v to siblings, of whom there are none", r, in.siblings)
			}
		}
	}
	few, many := z.hotRoom(len(per)), z.hotRoom(2000)
	if few.Relay < 0 || many.Centre[tierRelays] != few.Centre[tierRelays] || many.Centre[tierDirect] < 100*many.Centre[tierRelays] || many.Bytes[tierRelays] != few.Bytes[tierRelays] {
		t.Errorf("a room that all want: %+v, %+v", few, many)
	}
}

func TestNeedsFollowUsers(t *testing.T) {
	z := model(t, nil)
	per := z.a.spread(200)
	day := z.a.day(z.f, per)
	one, two := z.needs(day, 1e8, per), z.needs(day, 2e8, per)
	for r := range resources {
		want := 2.0
		if r == EdgeMemory {
			want = 0 // the process and its cache don't double
		}
		if one[r] <= 0 || want > 0 && !near(two[r], want*one[r], 1e-9) || two[r] <= one[r] {
			t.Errorf("%s: %v, and %v with twice the users", r.name(), one[r], two[r])
		}
	}
	if one.first() == StateRebuild || one.first(one.first()) == one.first() {
		t.Error("a resource that is left out is the first")
	}
	// By hand: 21 records of each user, 120 bytes each, of 60 % of 512 GiB.
	if want := 1e8 * 21 * 120 / (512 * gib * 0.6); !near(one[StateMemory], want, 1e-9) {
		t.Errorf("state: %v, and by hand %v", one[StateMemory], want)
	}
}

func TestEndsAreWhereThereIsJustEnough(t *testing.T) {
	z := model(t, nil)
	const edges = 600
	per := z.a.spread(edges)
	day := z.a.day(z.f, per)
	ends := z.ends(edges)
	for _, e := range ends {
		if e.Users == 0 {
			continue
		}
		if n := z.needs(day, e.Users, per); !near(n[e.Resource], 1, 1e-6) {
			t.Errorf("%s ends at %v users, where %v is used", e.Name, e.Users, n[e.Resource])
		}
	}
	if e := coreEnd(ends); !near(z.coreEnd(edges), e.Users, 1e-6) {
		t.Errorf("one cluster ends at %v users, or at %v", z.coreEnd(edges), e.Users)
	}
	if e := coreEnd(ends); e.Resource != StateMemory || e.Users < 1e8 || e.Users > 2e8 {
		t.Errorf("one cluster ends at %+v", e)
	}
}

func TestAFleetIsEnoughAndNotTooMuch(t *testing.T) {
	z := model(t, nil)
	for _, users := range []float64{1e7, 1e8, 1e9} {
		x := z.fleet(users)
		n := z.needs(x.day, users, x.per)
		for _, r := range edgeResources {
			if n[r] > 1 {
				t.Errorf("%v users: %d edges, and of %s %v is used", users, x.edges, r.name(), n[r])
			}
		}
		fewer := x.edges * 9 / 10
		if fewer < 2*len(z.a.share) {
			continue
		}
		per := z.a.spread(fewer)
		n = z.needs(z.a.day(z.f, per), users, per)
		if slices.Max([]float64{n[EdgeCPU], n[EdgeMemory], n[EdgeSockets], n[EdgeNetwork]}) <= 1 {
			t.Errorf("%v users: %d edges, and %d would do", users, x.edges, fewer)
		}
	}
	// A relay that has too much to do is not helped by more edges, and that is said.
	heavy := model(t, func(s *Scenario) {
		s.Rooms = []Class{{"everybody", 1, 900_000, 1}}
		s.People.Messages = Range{1, 1, 1, "test"}
	})
	if x := heavy.fleet(1e9); x.ok || x.edges > heavy.s.MostEdges {
		t.Errorf("everybody in one room: %d edges are enough", x.edges)
	}
}

func TestEdgesAreSpreadByShares(t *testing.T) {
	z := model(t, nil)
	for edges := len(z.a.share); edges < 300; edges++ {
		sum := 0
		for r, n := range z.a.spread(edges) {
			if sum += n; n < 1 || math.Abs(float64(n)-z.a.share[r]*float64(edges)) > 2.5 && edges > 60 {
				t.Fatalf("%d edges: region %d has %d, its share is %v", edges, r, n, z.a.share[r])
			}
		}
		if sum != edges {
			t.Fatalf("%d edges were spread, and are %d", edges, sum)
		}
	}
}

func TestBillsAreTheSameButForTheTier(t *testing.T) {
	z := model(t, nil)
	x := z.fleet(3e8)
	redis, direct, relays := z.bill(tierRedis, &x, 3e8), z.bill(tierDirect, &x, 3e8), z.bill(tierRelays, &x, 3e8)
	for _, b := range []bill{redis, direct} {
		if b.Edges != relays.Edges || b.Clients != relays.Clients || b.Balancer != relays.Balancer || b.State != relays.State || b.Region != 0 {
			t.Errorf("%+v beside %+v", b, relays)
		}
	}
	if relays.Ocean >= direct.Ocean || relays.Centre >= direct.Centre || relays.Region <= 0 {
		t.Errorf("relays %+v, direct %+v", relays, direct)
	}
	if b := relays; !near(b.sum()-b.fanout(), b.Edges+b.State+b.Clients+b.Balancer, 1e-9) {
		t.Errorf("%+v: %v in all, %v for the fan-out", b, b.sum(), b.fanout())
	}
	// By hand: so many machines of 16 CPUs for 730 hours.
	if want := float64(x.edges) * 16 * 0.03625 * 730; !near(relays.Edges, want, 1e-9) {
		t.Errorf("%d edges for %v, and by hand %v", x.edges, relays.Edges, want)
	}
}

func TestARangeHasItsQuantiles(t *testing.T) {
	r := Range{Low: 1, Mid: 4, High: 15}
	dice := rand.New(rand.NewPCG(5, 6))
	var values []float64
	for range 50_000 {
		values = append(values, r.draw(dice))
	}
	b := bandOf(values)
	if !near(b.Low, 1, 0.03) || !near(b.Mid, 4, 0.03) || !near(b.High, 15, 0.03) {
		t.Errorf("%+v of %+v", b, r)
	}
	if still := (&Range{Low: 3, Mid: 3, High: 3}).draw(dice); still != 3 {
		t.Errorf("a figure that is certain is %v", still)
	}
}

func TestGossipGrowsRarer(t *testing.T) {
	few, many := gossipOf(32), gossipOf(2000)
	if few.Every != 5 || many.Every != 35 || !near(few.All, 2*32*entryBytes, 1e-9) || many.Bytes < few.Bytes {
		t.Errorf("%+v, %+v", few, many)
	}
}
