package topology

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Where a team's edge begins to send teams on, and where it has sent on all, is
// told by its load beside its region's mean. The idea is that of Mirrokni, Thorup
// and Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016): no bin above
// (1+ε) of the mean, with ε = 1/4. They count each ball at once; here a load is
// seconds old and clients stay where they are, so one hard bound would send
// everyone away and then everyone back. Between the two ends each team has a
// bound of its own, so a load that moves a little moves few teams.
const (
	teamSlack = 1.25
	// teamWidth is by what factor a load is higher where all teams are sent on: a
	// region's mean changes when an edge comes or goes, and the wider the band, the
	// fewer teams of the others that moves. Twice is 2.5 times the mean; an edge whose
	// teams want three times the mean's load comes to rest at 1.8 times.
	teamWidth = 2
	// teamFloor is the load below which an edge keeps all its teams: in an idle
	// region the mean says nothing.
	teamFloor = 0.1
	// teamCeiling is where an edge begins to send teams on however loaded its
	// region is, if it is above the mean: it must not be full first.
	teamCeiling = 0.75
)

// band is where an edge sends teams on: none up to the load from, all above to.
type band struct{ from, to float64 }

// bandOf is the band of a region whose edges have these loads. Those below half of
// the mean count for less, an empty one not at all: one that has just come says
// nothing about what the others should bear, and would move teams that it doesn't
// get.
func bandOf(loads []float64) band {
	sum := 0.0
	for _, l := range loads {
		sum += l
	}
	half := sum / float64(len(loads)) / 2
	total, weights := 0.0, 1e-9 // of all empty edges the mean is 0
	for _, l := range loads {
		w := 1.0
		if l < half {
			w = l / half
		}
		total, weights = total+w*l, weights+w
	}
	mean := total / weights
	from := max(teamFloor, mean, min(teamSlack*mean, teamCeiling))
	return band{from: from, to: teamWidth * from}
}

// sends reports whether an edge with this load sends a team on. of is the team's
// place within the band, 0 to 1.
func (b band) sends(load, of float64) bool { return load > b.from+of*(b.to-b.from) }

// preferTeam reorders the entries of the best entry's region, in the places that
// they take: the team's edges by rendezvous, those that send it on after the rest.
func preferTeam(all []candidate, team string) {
	type seat struct {
		candidate
		weight uint64
		sends  bool
	}
	var places []int
	var own []seat
	var loads []float64
	for i, c := range all {
		// A balanced URL can't be aimed at one edge.
		if c.Region == all[0].Region && !c.regional && c.Load < 1 {
			places = append(places, i)
			own = append(own, seat{candidate: c})
			loads = append(loads, c.Load)
		}
	}
	if len(own) == 0 {
		return
	}
	bounds := bandOf(loads)
	first, bound := xxhash.Sum64String("team:"+team), xxhash.Sum64String("bound:"+team)
	for i := range own {
		s := &own[i]
		s.weight = weight(first, s.ID)
		s.sends = bounds.sends(s.Load, float64(weight(bound, s.ID)>>11)/(1<<53))
	}
	slices.SortFunc(own, func(a, b seat) int {
		return cmp.Or(compareBool(a.sends, b.sends), cmp.Compare(b.weight, a.weight), cmp.Compare(a.ID, b.ID))
	})
	for i, place := range places {
		all[place] = own[i].candidate
	}
}
