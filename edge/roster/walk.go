package roster

import (
	"cmp"
	"math"
	"strings"
)

// hit is a user that fits.
type hit struct {
	u *user
	c class
}

func (h hit) compare(o hit) int {
	if c := cmp.Compare(h.c, o.c); c != 0 {
		return c
	}
	return h.u.byName(o.u)
}

// hits are the best so far, best first, each user once.
type hits struct {
	prefix string
	limit  int
	in     func(*user) bool // whether the user is in a room that is looked through
	best   []hit
}

// class is how well a user fits.
func (h *hits) class(u *user) class { return classOf(u.name, u.folded, h.prefix) }

func (h *hits) full() bool { return len(h.best) == h.limit }

// beats reports whether a user would be among the best, if it is in.
func (h *hits) beats(u *user, c class) bool {
	return c != unfit && (!h.full() || hit{u, c}.compare(h.best[h.limit-1]) < 0)
}

// offer takes a user that fits.
func (h *hits) offer(u *user, c class) {
	if !h.beats(u, c) || !h.in(u) {
		return
	}
	lo, hi := 0, len(h.best)
	for lo < hi {
		mid := (lo + hi) / 2
		switch o := h.best[mid].compare(hit{u, c}); {
		case o == 0:
			return
		case o < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	if !h.full() {
		h.best = append(h.best, hit{})
	}
	copy(h.best[lo+1:], h.best[lo:])
	h.best[lo] = hit{u, c}
}

// walk looks for hits in the index, class by class. It gives up after a number of
// steps, and says so: the members themselves are fewer then.
//
// Who is of a class stands together in the index, in the order of the text that
// fits. The best are the first by name, which may be another order; so where many
// are of it, all users are looked through by name instead, which soon comes by
// enough of them.
type walk struct {
	*index
	*hits
	steps, most int
}

func (w *walk) run() (ok bool) {
	w.exactIDs()
	w.byNames()
	if !w.full() && w.prefix != "" {
		w.byWords()
	}
	if !w.full() && w.prefix != "" {
		w.byIDs()
	}
	return w.steps <= w.most
}

// step reports whether there is one left.
func (w *walk) step() bool {
	w.steps++
	return w.steps <= w.most
}

// many is how many of a class are too many to look at each.
func (w *walk) many() int { return 64 + int(math.Sqrt(float64(w.names.Len()*w.limit))) }

func (w *walk) exactIDs() {
	w.ids.AscendGreaterOrEqual(&user{folded: w.prefix}, func(u *user) bool {
		if u.folded != w.prefix {
			return false
		}
		w.offer(u, exact)
		return w.step()
	})
}

func (w *walk) byNames() {
	w.names.AscendGreaterOrEqual(named(&user{name: w.prefix}), func(e entry) bool {
		u := e.u
		c := w.class(u)
		if !strings.HasPrefix(u.name, w.prefix) || !w.beats(u, c) && w.full() && c != exact {
			return false // who follows is no better
		}
		w.offer(u, c)
		return w.step()
	})
}

func (w *walk) byWords() {
	left := w.many()
	w.words.AscendGreaterOrEqual(wordAt(&user{name: w.prefix}, 0), func(at word) bool {
		if !strings.HasPrefix(at.text(), w.prefix) {
			return false
		}
		if at.u.folded != w.prefix && !strings.HasPrefix(at.u.name, w.prefix) { // else it is of a better class
			w.offer(at.u, wordBegins)
		}
		left--
		return w.step() && left > 0
	})
	if left == 0 {
		w.byAllNames(wordBegins)
	}
}

func (w *walk) byIDs() {
	left := w.many()
	w.ids.AscendGreaterOrEqual(&user{folded: w.prefix}, func(u *user) bool {
		if !strings.HasPrefix(u.folded, w.prefix) {
			return false
		}
		if w.class(u) == idBegins {
			w.offer(u, idBegins)
		}
		left--
		return w.step() && left > 0
	})
	if left == 0 {
		w.byAllNames(idBegins)
	}
}

// byAllNames offers users of a class, by name, until there are enough.
func (w *walk) byAllNames(c class) {
	// Those of better classes stay; of this one the first that are in are the best.
	n := 0
	for n < len(w.best) && w.best[n].c < c {
		n++
	}
	w.best = w.best[:n]
	w.names.Ascend(func(e entry) bool {
		if w.class(e.u) == c {
			w.offer(e.u, c)
		}
		return !w.full() && w.step()
	})
}
