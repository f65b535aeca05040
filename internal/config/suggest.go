package config

import (
	"maps"
	"slices"
	"strings"
)

// suggest names the known key that is nearest to an unknown one.
func (p *parser) suggest(key string) string {
	best, distance := "", 3
	for _, known := range append(slices.Sorted(maps.Keys(p.commands)), p.keys...) {
		if d := edits(clip(key), known, distance); d < distance {
			best, distance = known, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	// The word may be right and the place wrong.
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, known := range p.keys {
		if known[strings.LastIndexByte(known, '.')+1:] == underscored(last) {
			return "did you mean " + known + "?"
		}
	}
	return "see 'selvedge config print' for every key"
}

// edits is the Levenshtein distance of a and b, or limit if it is at least that.
func edits(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
