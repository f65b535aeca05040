package door

import "time"

const (
	// lineTime is what a client waits in the line at most; then it is refused. The
	// line is as long as what is taken in within half of it.
	lineTime = 2 * time.Second
	// backTurns is how many of those who come back are taken before one who is
	// new, while both wait: the new ones keep a quarter of the tokens, and of the
	// places.
	backTurns = 3
)

// line is where clients wait that have asked for a socket when there was no
// token: what they have cost so far, TLS above all, is not paid twice, and a
// short storm refuses nobody.
//
// Those who come back go first: they have a screen that stands still, and what
// they miss grows. A request says so by ?resume=1, which anybody can write: the
// cursor that would prove it comes in the hello, after all that this line is to
// spare the edge. So it is a hint with a share, three quarters, and a lie costs
// nobody more than that. (Package session goes by the cursor itself.)
//
// It is not safe for concurrent use.
type line struct {
	a     *admission
	room  int // fixed: places
	fresh tickets
	back  tickets
	turns int // of those who came back, since one who is new had one
}

// ticket is a place in the line.
type ticket struct {
	back    bool      // it comes back
	until   time.Time // then it is refused
	visitor *visitor  // who waits, on a loop
	called  chan bool // else: who waits is told here; capacity 1, never closed

	prev, next *ticket // in the list
	listed     bool
}

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
		if !t.back || l.fresh.n <= l.room/(backTurns+1) {
			l.a.refused.add(now)
			return t
		}
		refused = l.fresh.last
		l.leave(refused)
		l.a.refused.add(now)
	}
	t.until = now.Add(lineTime)
	l.list(t).push(t)
	l.a.waiting.Add(1)
	return refused
}

// leave takes t out, if it is in.
func (l *line) leave(t *ticket) {
	if t.listed {
		l.list(t).remove(t)
		l.a.waiting.Add(-1)
	}
}

// call takes out who is next, if there is a token, or returns nil.
func (l *line) call(now time.Time) *ticket {
	if l == nil || l.len() == 0 || !l.a.sockets.AllowN(now, 1) {
		return nil
	}
	t := l.back.first
	if t == nil || l.fresh.first != nil && l.turns >= backTurns {
		t = l.fresh.first
	}
	if l.turns++; !t.back {
		l.turns = 0
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
			l.a.refused.add(now)
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

// tickets are a list in the order of their coming. The zero value is empty.
type tickets struct {
	first, last *ticket
	n           int
}

func (ts *tickets) push(t *ticket) {
	if t.prev = ts.last; ts.last != nil {
		ts.last.next = t
	} else {
		ts.first = t
	}
	ts.last = t
	ts.n++
	t.listed = true
}

// remove takes t out, which must be in.
func (ts *tickets) remove(t *ticket) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		ts.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		ts.last = t.prev
	}
	t.prev, t.next, t.listed = nil, nil, false
	ts.n--
}
