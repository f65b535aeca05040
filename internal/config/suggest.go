package config

import (
	"maps"
	"slices"
	"strings"

	"selvedge/internal/spelling"
)

// suggest names the known key that is nearest to an unknown one.
func (p *parser) suggest(key string) string {
	best, distance := "", 3
	for _, known := range append(slices.Sorted(maps.Keys(p.commands)), p.keys...) {
		if d := spelling.Distance(clip(key), known, distance); d < distance {
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
