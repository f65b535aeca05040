package planet

import (
	"math"

	"selvedge/simulations/geo"
	"selvedge/topology/region"
)

// flow is what goes on in one hour of the day with each registered user's share of
// everything: times the number of users it is per second. It is linear in users, since who is
// in a room doesn't depend on how many others there are.
type flow struct {
	publishes   float64
	frames      float64 // to regions: for each publish, the regions that want it
	oceanFrames float64 // of them, to other regions than the cores'
	gates       float64 // to edges: for each publish, the edges that want it
	oceanGates  float64
	connects    float64
	joins       float64

	in []byRegion
}

// byRegion is the part of a flow in a region.
type byRegion struct {
	frames     float64 // that somebody there wants
	gates      float64 // times the edges that want them
	siblings   float64 // of these, to others than the relay
	deliveries float64
	sockets    float64
}

// atlas are the regions, and how they live.
type atlas struct {
	regions []region.Region
	share   []float64
	core    int
	sizes   []roomSize
	peak    float64 // geo.Busy at its busiest, at 11 something
}

// roomSize is a room's size, and what part of all messages goes to such rooms.
type roomSize struct {
	members, part float64
	scaled        bool // larger and smaller with the others
}

func newAtlas(s *Scenario) (*atlas, error) {
	regions, err := s.regions()
	if err != nil {
		return nil, err
	}
	a := &atlas{regions: regions, sizes: s.sizes()}
	for i, r := range s.Regions {
		a.share = append(a.share, r.Share)
		if r.Region == s.Core {
			a.core = i
		}
	}
	for minute := range 24 * 60 {
		a.peak = max(a.peak, geo.Busy(float64(minute)/60))
	}
	return a, nil
}

// sevenths are the middles of seven equal parts of a normal distribution.
var sevenths = [...]float64{-1.4652, -0.7916, -0.3661, 0, 0.3661, 0.7916, 1.4652}

// sizes are the classes, each in parts of one size.
func (s *Scenario) sizes() (out []roomSize) {
	for _, c := range s.Rooms {
		if c.Spread == 1 {
			out = append(out, roomSize{c.Members, c.Share, c.Members > 2})
			continue
		}
		for _, z := range sevenths {
			out = append(out, roomSize{max(c.Members*math.Pow(c.Spread, z), 2), c.Share / float64(len(sevenths)), true})
		}
	}
	return out
}

// hours are those of a day that are looked at: all that matters is slower than that.
const hours = 12

// busy is how busy a region is at an hour of UTC, 0 to 1.
func (a *atlas) busy(r int, utc float64) float64 {
	return geo.Busy(utc+a.regions[r].Lon/15) / a.peak
}

// day is what goes on at each of the hours, with so many edges in each region.
func (a *atlas) day(f *facts, edges []int) []flow {
	out := make([]flow, hours)
	for h := range out {
		out[h] = a.hour(f, edges, 24*float64(h)/hours)
	}
	return out
}

func (a *atlas) hour(f *facts, edges []int, utc float64) flow {
	n := len(a.regions)
	w := flow{in: make([]byRegion, n)}
	awake := make([]float64, n) // of all users of a region, those who are online
	for r := range awake {
		busy := a.busy(r, utc)
		awake[r] = f.online * (f.night + (1-f.night)*busy)
		w.in[r].sockets = a.share[r] * awake[r] * f.sessions
		w.connects += w.in[r].sockets * f.reconnects / 3600
		w.joins += a.share[r] * f.joins * geo.Busy(utc+a.regions[r].Lon/15) / 86400
	}
	from := make([]float64, n) // publishes, by their author's region
	for r := range from {
		from[r] = a.share[r] * f.online * f.messages / 3600 * a.busy(r, utc)
		w.publishes += from[r]
	}
	for _, size := range a.sizes {
		members := size.members
		if size.scaled {
			members = max(members*f.roomSize, 2)
		}
		for r := range w.in {
			w.add(r, from[r]*size.part, a.seat(f, members, r, true, awake[r], edges[r]), f, r != a.core)
			w.add(r, (w.publishes-from[r])*size.part, a.seat(f, members, r, false, awake[r], edges[r]), f, r != a.core)
		}
	}
	return w
}

// seat is how one room is there in a region: what is expected.
type seat struct {
	wanted float64 // the chance that somebody is online
	gates  float64 // edges that those are at
	online float64 // users
	edges  float64 // of the region
}

// seat of a room of so many members, whose author lives in the region (home) or
// elsewhere.
func (a *atlas) seat(f *facts, members float64, r int, home bool, awake float64, edges int) seat {
	part := (1 - f.locality) * a.share[r] // of the other members
	if home {
		part += f.locality
	}
	// Each of the others is online there, at an edge by chance.
	others, online, e := members-1, part*awake, float64(edges)
	s := seat{some(online, others), e * some(online/e, others), others * online, e}
	if home { // the author, too, gets it
		s.wanted, s.gates, s.online = 1, 1+s.gates*(e-1)/e, s.online+1
	}
	return s
}

// add counts so many publishes per second to rooms that are there like this.
func (w *flow) add(r int, publishes float64, s seat, f *facts, ocean bool) {
	in := &w.in[r]
	frames, gates := publishes*s.wanted, publishes*s.gates
	in.frames += frames
	in.gates += gates
	in.siblings += gates * (1 - 1/s.edges) // the relay wants it as often as any edge
	in.deliveries += publishes * s.online * f.sessions
	w.frames += frames
	w.gates += gates
	if ocean {
		w.oceanFrames += frames
		w.oceanGates += gates
	}
}

// some is the chance that something that happens with a chance p happens at all, in n
// attempts.
func some(p, n float64) float64 { return -math.Expm1(n * math.Log1p(-min(p, 1-1e-12))) }

// spread gives each region its part of the edges, and one at least: by largest
// remainders.
func (a *atlas) spread(edges int) []int {
	out := make([]int, len(a.share))
	left := edges
	for r, share := range a.share {
		out[r] = max(1, int(share*float64(edges)))
		left -= out[r]
	}
	for ; left != 0; left -= sign(left) {
		best := -1
		for r := range out {
			if left < 0 && out[r] == 1 {
				continue
			}
			lack := func(r int) float64 { return (a.share[r]*float64(edges) - float64(out[r])) * float64(sign(left)) }
			if best < 0 || lack(r) > lack(best) {
				best = r
			}
		}
		out[best] += sign(left)
	}
	return out
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
