package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Rooms are the channels of a user, ordered by log. An array without spare
// capacity may be shared with others who read it, and is never written to; so
// the session manager and the shards keep one list for all of them.
type Rooms []*cache.Channel

// NewRooms puts channels into order. list is taken over.
func NewRooms(list []*cache.Channel) Rooms {
	slices.SortFunc(list, func(a, b *cache.Channel) int { return byLog(a, b.P) })
	return list
}

func byLog(ch *cache.Channel, p wire.LogID) int { return int(ch.P) - int(p) }

// Of are the rooms in log p.
func (r Rooms) Of(p wire.LogID) Rooms {
	i, _ := slices.BinarySearchFunc(r, p, byLog)
	j := i
	for j < len(r) && r[j].P == p {
		j++
	}
	return r[i:j]
}

// Has reports whether ch is one of them.
func (r Rooms) Has(ch *cache.Channel) bool { return slices.Contains(r.Of(ch.P), ch) }

// With is r and ch. r is not to be used any more.
func (r Rooms) With(ch *cache.Channel) Rooms {
	i, _ := slices.BinarySearchFunc(r, ch.P, byLog)
	return slices.Insert(r, i, ch)
}

// Without is r but for ch. r stays as it is.
func (r Rooms) Without(ch *cache.Channel) Rooms {
	return slices.DeleteFunc(slices.Clone(r), func(c *cache.Channel) bool { return c == ch })
}

// Share is r, for others to keep, too.
func (r *Rooms) Share() Rooms {
	*r = slices.Clip(*r)
	return *r
}
