package region

import (
	"cmp"
	"slices"
	"strings"

	"selvedge/internal/spelling"
)

// tooFar is a distance at which no name is a guess any more.
const tooFar = 4

// nearestSpellings returns up to three names that someone who typed name may have
// meant, the likeliest first.
func nearestSpellings(name string, regions []Region) []string {
	type guess struct {
		name  string
		edits int
	}
	var guesses []guess
	for _, r := range regions {
		g := guess{r.Name, spelling.Distance(name, r.Name, tooFar)}
		// A name cut short, or one with something around it, is a guess too.
		if len(name) >= 4 && (strings.Contains(r.Name, name) || strings.Contains(name, r.Name)) {
			g.edits = min(g.edits, 2)
		}
		if g.edits <= max(1, min(3, len(name)/3)) {
			guesses = append(guesses, g)
		}
	}
	slices.SortFunc(guesses, func(a, b guess) int {
		return cmp.Or(cmp.Compare(a.edits, b.edits), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, g := range guesses[:min(3, len(guesses))] {
		out = append(out, g.name)
	}
	return out
}
