package door

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// t0 begins a second.
var t0 = time.Unix(1_700_000_000, 0)

// testLine is a line whose bucket is empty.
func testLine(perSecond float64) *line {
	l := newLine(newAdmission(perSecond, 1, 1), 1000, 1)
	l.pass(t0)
	return l
}

// Sockets come in as fast as the bucket says, whatever comes, and at once as many
// as it holds.
func TestTheBucketPaces(t *testing.T) {
	const perSecond, burst = 50, 20
	a := newAdmission(perSecond, burst, 1)
	l := newLine(a, 1000, 1)
	in, refused := 0, 0
	for ms := range 10_000 { // a client each ms, which is twenty times as many
		now := t0.Add(time.Duration(ms) * time.Millisecond)
		if l.pass(now) {
			in++
		} else if l.join(now, &ticket{}) != nil {
			refused++
		}
		for l.call(now) != nil {
			in++
		}
		if ms == 0 && in != 1 || ms == burst && in != burst+1 {
			t.Errorf("after %d ms, %d are in", ms, in)
		}
	}
	if want := burst + 10*perSecond; in < want-1 || in > want {
		t.Errorf("%d are in after ten seconds, want %d", in, want)
	}
	if want := 10_000 - in - l.len(); refused != want || l.len() != perSecond {
		t.Errorf("%d wait and %d were refused, want %d and %d", l.len(), refused, perSecond, want)
	}
}

// called are those who are called until nobody waits, in their order: b who comes
// back, f who is new.
func called(l *line, from time.Time) string {
	var order []byte
	for ms := 0; l.len() > 0; ms++ {
		for k := l.call(from.Add(time.Duration(ms) * time.Millisecond)); k != nil; k = nil {
			order = append(order, map[bool]byte{true: 'b', false: 'f'}[k.back])
		}
	}
	return string(order)
}

// Who comes back goes first, also if it comes somewhat later: not if a new one has
// waited for much longer.
func TestWhoComesBackGoesFirst(t *testing.T) {
	for _, tt := range []struct {
		later time.Duration
		want  string
	}{{0, "bbbbff"}, {headStart, "bbbbff"}, {headStart + 1, "ffbbbb"}} {
		l := testLine(100)
		for range 2 {
			l.join(t0, &ticket{})
		}
		for range 4 {
			l.join(t0.Add(tt.later), &ticket{back: true})
		}
		if got := called(l, t0.Add(tt.later)); got != tt.want {
			t.Errorf("who comes back %s later: called %s, want %s", tt.later, got, tt.want)
		}
	}
}

// However many come back, a new one that has a place is called in time.
func TestNobodyStarves(t *testing.T) {
	const perSecond = 100
	l := testLine(perSecond)
	for range perSecond - 1 { // the line is full
		l.join(t0, &ticket{back: true})
	}
	k := &ticket{}
	l.join(t0, k)
	for ms := 0; ; ms++ {
		now := t0.Add(time.Duration(ms) * time.Millisecond)
		l.join(now, &ticket{back: true})
		if got := l.call(now); got == k {
			break
		}
		if l.late(now) == k {
			t.Fatalf("it was not called within %s", lineTime)
		}
	}
}

// A line that is full makes room for who comes back, at the cost of the newest
// of who is new, who keep a quarter of it. Whatever says that it comes back has no
// more than the rest.
func TestAFullLine(t *testing.T) {
	l := testLine(8)
	var fresh, back []*ticket
	for range 8 {
		k := &ticket{}
		if l.join(t0, k) != nil {
			t.Fatal("a line with room refuses")
		}
		fresh = append(fresh, k)
	}
	if k := (&ticket{}); l.join(t0, k) != k {
		t.Error("a full line takes one who is new")
	}
	for i := range 6 {
		k := &ticket{back: true}
		if out, want := l.join(t0, k), fresh[7-i]; out != want {
			t.Errorf("the %d. that comes back: %p is refused, want %p, the newest", i+1, out, want)
		}
		back = append(back, k)
	}
	if k := (&ticket{back: true}); l.join(t0, k) != k {
		t.Error("who comes back takes the places of who is new")
	}
	if l.fresh.n != 2 || l.back.n != 6 || l.a.waiting.Load() != 8 || l.back.first != back[0] {
		t.Errorf("%d are new, %d come back, %d are counted", l.fresh.n, l.back.n, l.a.waiting.Load())
	}
}

// Nobody waits for long, and there is always a place for somebody.
func TestWhoHasWaitedForLong(t *testing.T) {
	l := testLine(0.1)
	k := &ticket{}
	if l.join(t0, k) != nil || l.late(t0.Add(lineTime-1)) != nil {
		t.Error("the only one does not wait")
	}
	if l.late(t0.Add(lineTime)) != k || l.len() != 0 || l.a.waiting.Load() != 0 {
		t.Error("it waits for ever")
	}
	l.leave(k) // which is no harm
	if l.len() != 0 {
		t.Errorf("%d wait", l.len())
	}
}

// Without a limit there is nothing to wait for.
func TestNoLimit(t *testing.T) {
	a := newAdmission(0, 1, 1)
	l := newLine(a, 10, 1)
	if a != nil || l != nil || !l.pass(t0) || l.call(t0) != nil || l.late(t0) != nil || !a.accept(t0) || !a.admit(t0) || a.again(t0) != 0 {
		t.Error("no limit is one")
	}
}

// dumbLine does what line does, with a slice.
type dumbLine struct {
	room int
	all  []*ticket
}

func (d *dumbLine) fresh() int {
	n := 0
	for _, t := range d.all {
		if !t.back {
			n++
		}
	}
	return n
}

func (d *dumbLine) join(t *ticket) *ticket {
	if len(d.all) < d.room {
		d.all = append(d.all, t)
		return nil
	}
	if !t.back || d.fresh() <= d.room/4 {
		return t
	}
	for i := len(d.all) - 1; ; i-- {
		if out := d.all[i]; !out.back {
			d.all = append(slices.Delete(d.all, i, i+1), t)
			return out
		}
	}
}

func (d *dumbLine) call() *ticket {
	turn := func(t *ticket) time.Time {
		if t.back {
			return t.until
		}
		return t.until.Add(headStart)
	}
	if len(d.all) == 0 {
		return nil
	}
	t := slices.MinFunc(d.all, func(a, b *ticket) int {
		if c := turn(a).Compare(turn(b)); c != 0 || a.back == b.back {
			return c
		}
		if a.back {
			return -1
		}
		return 1
	})
	d.all = slices.DeleteFunc(d.all, func(o *ticket) bool { return o == t })
	return t
}

// The line does what a plain list would, whoever comes, goes and is called.
func TestTheLineAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(newAdmission(1e9, 1<<30, 1), rapid.IntRange(1, 9).Draw(t, "room"), 1)
		d := &dumbLine{room: l.room}
		var known []*ticket
		now := t0
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				k := &ticket{back: rapid.Bool().Draw(t, "back")}
				known = append(known, k)
				if got, want := l.join(now, k), d.join(k); got != want {
					t.Fatalf("refused %p, want %p", got, want)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "time")) * headStart / 2)
			},
			"call": func(t *rapid.T) {
				if got, want := l.call(now), d.call(); got != want {
					t.Fatalf("called %p, want %p", got, want)
				}
			},
			"leave": func(t *rapid.T) {
				if len(known) == 0 {
					t.Skip()
				}
				k := rapid.SampledFrom(known).Draw(t, "who")
				l.leave(k)
				d.all = slices.DeleteFunc(d.all, func(o *ticket) bool { return o == k })
			},
			"": func(t *rapid.T) {
				if l.len() != len(d.all) || int(l.a.waiting.Load()) != len(d.all) {
					t.Fatalf("%d wait, %d are counted, want %d", l.len(), l.a.waiting.Load(), len(d.all))
				}
			},
		})
	})
}

// Nobody overtakes those who wait, neither at the door nor by the HTTP server.
func TestNobodyOvertakes(t *testing.T) {
	l := testLine(10)
	first := &ticket{}
	l.join(t0, first)
	later := t0.Add(time.Second / 10) // there is a token
	if l.pass(later) || l.a.admit(later) {
		t.Error("one who came later was taken")
	}
	if l.call(later) != first {
		t.Error("the first is not called")
	}
	if again := later.Add(time.Second / 10); !l.a.admit(again) {
		t.Error("nobody waits, and a token is not given")
	}
}
