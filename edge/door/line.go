package door

import "time"

const (
	// lineTime is what a client waits in the line at most; then it is refused. The
	// line is as long as what is taken in within half of it.
	lineTime = 2 * time.Second
	// headStart is how much later one may come who comes back, and still be called
	// before one who is new. The line is twice as long, so nobody who is new waits for
	// more than three quarters of lineTime because of it.
	headStart = lineTime / 4
	// freshShare is the part of the places, one in so many, that the new ones keep.
	freshShare = 4
)

// line is where clients wait that have asked for a socket when there was no
// token: what they have cost so far, TLS above all, is not paid twice, and a
// short storm refuses nobody.
//
// Those who come back go first: they have a screen that stands still, and what
// they miss grows. A request says so by ?resume=1, which anybody can write: the
// cursor that would prove it comes in the hello, after all that this line is to
// spare the edge. So it is a hint that is worth a head start, and three quarters of
// the places at the most, and a lie costs nobody more than that. (Package session
// goes by the cursor itself.) Turns by number would not do: three of four for those
// who come back let new ones overtake them while there are few of these, as there
// are when an edge has died.
//
// It is not safe for concurrent use.
type line struct {
	a     *admission
	room  int // fixed: places
	fresh tickets
	back  tickets
}

// ticket is a place in the line.
type ticket struct {
	back    bool      // it comes back
	until   time.Time // then it is refused
	visitor *visitor  // who waits, on a loop
	called  chan bool // else: who waits is told here; capacity 1, never closed

	place[ticket]
	listed bool
}

func (t *ticket) at() *place[ticket] { return &t.place }

type tickets = list[ticket, *ticket]

// newLine is a line of an admission, one of several; no more than most wait.
func newLine(a *admission, most, lines int) *line {
	if a == nil {
		return nil
	}
	room := int(a.perSecond * (lineTime / 2).Seconds())
	return &line{a: a, room: max(min(room, most)/lines, 1)}
}

// pass says whether a client needs no line: nobody waits, and there is a token.
func (l *line) pass(now time.Time) bool {
	return l == nil || l.len() == 0 && l.a.sockets.AllowN(now, 1)
}

// join puts t in the line. Refused is who has no place, if somebody hasn't: t,
// or the newest of those who are new and have more than their quarter.
func (l *line) join(now time.Time, t *ticket) (refused *ticket) {
	if l.len() >= l.room {
		if refused = t; t.back && l.fresh.n > l.room/freshShare {
			refused = l.fresh.last
			l.leave(refused)
		}
		l.a.refuse(now, refused.back)
		if refused == t {
			return t
		}
	}
	t.until = now.Add(lineTime)
	l.list(t).push(t)
	t.listed = true
	l.a.waiting.Add(1)
	return refused
}

// leave takes t out, if it is in.
func (l *line) leave(t *ticket) {
	if t.listed {
		l.list(t).remove(t)
		t.listed = false
		l.a.waiting.Add(-1)
	}
}

// call takes out who is next, if there is a token, or returns nil.
func (l *line) call(now time.Time) *ticket {
	if l == nil || l.len() == 0 || !l.a.sockets.AllowN(now, 1) {
		return nil
	}
	t := l.back.first
	if f := l.fresh.first; t == nil || f != nil && t.until.Sub(f.until) > headStart {
		t = f
	}
	l.leave(t)
	return t
}

// late takes out one who has waited for too long, or returns nil.
func (l *line) late(now time.Time) *ticket {
	if l == nil {
		return nil
	}
	for _, list := range []*tickets{&l.fresh, &l.back} {
		if t := list.first; t != nil && !now.Before(t.until) {
			l.leave(t)
			l.a.refuse(now, t.back)
			return t
		}
	}
	return nil
}

func (l *line) len() int { return l.fresh.n + l.back.n }

func (l *line) list(t *ticket) *tickets {
	if t.back {
		return &l.back
	}
	return &l.fresh
}
