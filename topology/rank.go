package topology

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// RankOptions say for whom edges are ranked. The zero value ranks by load alone.
type RankOptions struct {
	// Lat and Lon are where the client is, in degrees; they count if HasPoint.
	Lat, Lon float64
	HasPoint bool
	// Region stands for the client's place when there is no point: the place of
	// that region's nodes. A region without nodes says nothing.
	Region string
	// Team sends everyone of a team to the same edge of the nearest region, while
	// that edge isn't loaded far above its region's mean; see band. Empty: no
	// affinity.
	Team string
	// Spread breaks ties between edges of equal cost: the same value, the same
	// order. Zero breaks them by ID, which sends everyone to the same one.
	Spread uint64
	// Limit is the most edges returned; zero is all.
	Limit int
}

// RankedEdge is an edge to try.
type RankedEdge struct {
	ID     NodeID  `json:"id"`
	Region string  `json:"region"`
	URL    string  `json:"url"`
	Km     float64 `json:"km"` // to the client, to a tenth; 0 if nobody knows
	Load   float64 `json:"load"`
}

// fullLoadKm is how much farther away a full edge seems than it is. Light in
// fibre makes 100 km there and back in a millisecond, so a full edge is worth
// 40 ms more: enough to go to the next region of a continent, too little to
// cross an ocean.
const fullLoadKm = 4000

// RankEdges returns the edges that a client should try, best first: the ready
// ones that have a URL, by
//
//	cost = km + fullLoadKm * load^4
//
// and full ones (load 1) after all others. The fourth power is flat where an edge
// has room (half loaded it costs 250 km, 2.5 ms) and steep where it has none.
// A region with a balanced URL makes one entry, with its mean load. In the region
// of the best entry the team's order takes the place of the cost's; see Team.
// The order depends on nothing but the arguments.
func RankEdges(snap Snapshot, o RankOptions) []RankedEdge {
	lat, lon, known := origin(snap, o)
	var all []candidate
	for _, n := range addressable(snap) {
		c := candidate{RankedEdge: RankedEdge{ID: n.ID, Region: n.Region, URL: n.Public, Load: n.Load}, regional: n.Regional}
		if known {
			c.Km = DistanceKm(lat, lon, n.Lat, n.Lon)
		}
		c.cost = c.Km + fullLoadKm*math.Pow(c.Load, 4)
		if o.Spread != 0 {
			c.tie = weight(o.Spread, n.ID)
		}
		all = append(all, c)
	}
	slices.SortFunc(all, compareCandidates)
	if o.Team != "" && len(all) > 0 {
		preferTeam(all, o.Team)
	}

	if o.Limit > 0 && len(all) > o.Limit {
		all = all[:o.Limit]
	}
	out := make([]RankedEdge, len(all))
	for i, c := range all {
		c.Km = math.Round(c.Km*10) / 10
		out[i] = c.RankedEdge
	}
	return out
}

type candidate struct {
	RankedEdge
	regional bool
	cost     float64
	tie      uint64
}

func compareCandidates(a, b candidate) int {
	return cmp.Or(
		compareBool(a.Load >= 1, b.Load >= 1),
		cmp.Compare(a.cost, b.cost),
		cmp.Compare(a.tie, b.tie),
		cmp.Compare(a.ID, b.ID))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// origin is where the client is, as far as known.
func origin(snap Snapshot, o RankOptions) (lat, lon float64, known bool) {
	if o.HasPoint {
		return o.Lat, o.Lon, true
	}
	for _, n := range snap.nodes {
		if o.Region != "" && n.Region == o.Region {
			return n.Lat, n.Lon, true
		}
	}
	return 0, 0, false
}

// addressable returns the ready edges that clients can be sent to; those behind
// their region's balanced URL as one, the first by ID, with their mean load.
func addressable(snap Snapshot) []Node {
	var single []Node
	balanced := map[string][]Node{}
	for _, n := range snap.nodes {
		switch {
		case n.Role != RoleEdge || n.State != StateReady || n.Public == "":
		case n.Regional:
			balanced[n.Region] = append(balanced[n.Region], n)
		default:
			single = append(single, n)
		}
	}
	for _, region := range slices.Sorted(maps.Keys(balanced)) {
		one := balanced[region][0]
		one.Load = meanLoad(balanced[region], func(n Node) float64 { return n.Load })
		single = append(single, one)
	}
	return single
}

func meanLoad[T any](of []T, load func(T) float64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += load(v)
	}
	return sum / float64(len(of))
}
