package tail

import (
	"slices"

	"selvedge/wire"
)

// Keys appends the keys of all records after a position, watermarks' apart, and
// says whether the tail holds all of them: else nothing is appended. A key may
// come several times.
func (t *Tail) Keys(dst []wire.Key, after wire.Seq) (_ []wire.Key, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after < t.base {
		return dst, false
	}
	first := t.searchLocked(after + 1)
	dst = slices.Grow(dst, 2*(len(t.records)-first))
	for i := range t.records[first:] {
		for _, k := range t.records[first+i].Keys {
			if k != 0 {
				dst = append(dst, k)
			}
		}
	}
	return dst, true
}
