package region

import (
	"cmp"
	"slices"
	"strings"
)

// nearestSpellings returns up to three names that someone who typed name may have
// meant, the likeliest first.
func nearestSpellings(name string, regions []Region) []string {
	type guess struct {
		name  string
		edits int
	}
	var guesses []guess
	for _, r := range regions {
		g := guess{r.Name, editDistance(name, r.Name)}
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

// editDistance counts the bytes to insert, delete or replace to make b of a
// (Levenshtein, 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a's prefix so far to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
