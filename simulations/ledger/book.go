package ledger

import (
	"slices"

	"selvedge/wire"
)

// book is what one client saw of one channel.
type book struct {
	stays []stay
	seen  []uint16 // by number: how often
	order []int    // the numbers in the order of their first coming
	gaps  []span   // that it was told of
}

// stay is one membership. It is about the numbers from allowed on, up to the
// next stay's.
type stay struct {
	allowed  int  // from here on a message may come
	required int  // from here on it must
	joined   bool // required counts
	asked    bool // required is what the client asked for
	placed   bool // both are what follows from in the log
	from     wire.Seq
	over     bool // it must not any more; but what came has no holes
}

// span is from one place of a log to another, both inclusive.
type span struct{ from, to wire.Seq }

// present is the last stay, nil if there was none.
func (b *book) present() *stay {
	if len(b.stays) == 0 {
		return nil
	}
	return &b.stays[len(b.stays)-1]
}

// last is the highest number that was seen, -1 if none was.
func (b *book) last() int { return len(b.seen) - 1 }

func (b *book) see(n int) {
	for len(b.seen) <= n {
		b.seen = append(b.seen, 0)
	}
	if b.seen[n]++; b.seen[n] == 1 {
		b.order = append(b.order, n)
	}
}

func (b *book) times(n int) int {
	if n >= len(b.seen) {
		return 0
	}
	return int(b.seen[n])
}

// told reports whether a place is in a gap that the client was told of.
func (b *book) told(at wire.Seq) bool {
	for _, g := range b.gaps {
		if at != 0 && g.from <= at && at <= g.to {
			return true
		}
	}
	return false
}

// placedStays are the stays, with the numbers of those that have places.
func (b *book) placedStays(a *account) []stay {
	stays := slices.Clone(b.stays)
	for i := range stays {
		if s := &stays[i]; s.placed {
			s.allowed = 0
			for n := range a.acked {
				// One without an acknowledgement has no place: it may lie on either side.
				if at, ok := a.at[n]; ok && at <= s.from {
					s.allowed = n + 1
				}
			}
			s.required = s.allowed
		}
	}
	return stays
}

// needs says for each number below count whether it must come, and from which
// on one may.
func (b *book) needs(a *account, count int) (out []bool, invited int) {
	out = make([]bool, count)
	stays := b.placedStays(a)
	for i, s := range stays {
		end := count
		if i+1 < len(stays) {
			end = min(end, stays[i+1].allowed)
		}
		if s.over {
			for end > s.allowed && b.times(end-1) == 0 {
				end-- // it had come this far
			}
		}
		for n := s.required; s.joined && n < end; n++ {
			out[n] = true
		}
	}
	if len(stays) == 0 {
		return out, count
	}
	return out, stays[0].allowed
}
