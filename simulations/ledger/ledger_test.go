package ledger

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

const (
	user = "u1"
	ch   = "room:a"
)

// Each way to break a promise is seen as what it is.
func TestResult(t *testing.T) {
	for name, c := range map[string]struct {
		saw  []int
		want Result
	}{
		"all":          {[]int{0, 1, 2}, Result{Acknowledged: 3, Expected: 3, Delivered: 3}},
		"lost":         {[]int{0, 2}, Result{Acknowledged: 3, Expected: 3, Delivered: 2, Lost: 1}},
		"lost end":     {[]int{0, 1}, Result{Acknowledged: 3, Expected: 3, Delivered: 2, Lost: 1}},
		"twice":        {[]int{0, 1, 1, 2, 0}, Result{Acknowledged: 3, Expected: 3, Delivered: 3, Duplicated: 2}},
		"swapped":      {[]int{1, 0, 2}, Result{Acknowledged: 3, Expected: 3, Delivered: 3, OutOfOrder: 1}},
		"not acked":    {[]int{0, 1, 2, 3}, Result{Acknowledged: 3, Expected: 3, Delivered: 3, Unacknowledged: 1}},
		"not acked x2": {[]int{0, 1, 2, 3, 3}, Result{Acknowledged: 3, Expected: 3, Delivered: 3, Unacknowledged: 1, Duplicated: 1}},
		"nothing":      {nil, Result{Acknowledged: 3, Expected: 3, Lost: 3}},
	} {
		l := New()
		l.Expect(user, ch)
		for n := range 3 {
			l.Acknowledged(ch, n)
		}
		for _, n := range c.saw {
			if !l.Saw(user, ch, n) {
				t.Errorf("%s: unknown reader", name)
			}
		}
		got := l.Result()
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if kept := name == "all" || name == "not acked"; got.Kept() != kept {
			t.Errorf("%s: Kept is %v", name, got.Kept())
		}
	}
}

func TestStrangersAreTold(t *testing.T) {
	if New().Saw(user, ch, 0) {
		t.Error("a client that nothing was promised to is known")
	}
}

// Stories of one reader. A number alone is published and acknowledged; after a
// minus it was seen, after a question mark published without an answer, which a
// later one after an exclamation mark is.
func TestStories(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  Result
	}{
		"what is before a join must not come": {
			"0 joining joined 1 -0 -1", Result{Acknowledged: 2, Expected: 1, Delivered: 1, Optional: 1, Uninvited: 1},
		},
		"what is during a join may come": {
			"joining 0 joined 1 -0 -1", Result{Acknowledged: 2, Expected: 1, Delivered: 1, Optional: 1},
		},
		"what is during a join may stay away": {
			"joining 0 joined 1 -1", Result{Acknowledged: 2, Expected: 1, Delivered: 1},
		},
		"what is after a join must come": {
			"joining joined 0", Result{Acknowledged: 1, Expected: 1, Lost: 1},
		},
		"a join whose answer is unknown promises nothing": {
			"joining 0 1 -1", Result{Acknowledged: 2, Optional: 1},
		},
		"a join that is tried again": {
			"joining 0 joining joined 1", Result{Acknowledged: 2, Expected: 1, Lost: 1},
		},
		"what is after a leave may come": {
			"joining joined 0 leaving 1 -0 -1", Result{Acknowledged: 2, Expected: 2, Delivered: 2},
		},
		"what was on its way at a leave may stay away": {
			"joining joined 0 1 -0 leaving", Result{Acknowledged: 2, Expected: 1, Delivered: 1},
		},
		"but without holes": {
			"joining joined 0 1 2 -0 leaving -2", Result{Acknowledged: 3, Expected: 3, Delivered: 2, Lost: 1},
		},
		"a stay after another": {
			"joining joined 0 -0 leaving 1 2 joining joined 3 4 -3", Result{Acknowledged: 5, Expected: 3, Delivered: 2, Lost: 1},
		},
		"what a gap covers is gone": {
			"joining joined 0 1 2 gap0-1 -2", Result{Acknowledged: 3, Expected: 3, Delivered: 1, Gone: 2},
		},
		"what it does not is lost": {
			"joining joined 0 1 2 gap0-0 -2", Result{Acknowledged: 3, Expected: 3, Delivered: 1, Gone: 1, Lost: 1},
		},
		"a gap that covers too much": {
			"joining joined 0 1 2 gap0-1 -1 -2", Result{Acknowledged: 3, Expected: 3, Delivered: 2, Gone: 1, FalseGaps: 1},
		},
		"what was on its way at a join may come": {
			"0 ?1 joining joined 2 -1 -2", Result{Acknowledged: 2, Expected: 1, Delivered: 1, Unacknowledged: 1},
		},
		"and have been acknowledged later": {
			"0 ?1 joining joined !1 2 -1 -2", Result{Acknowledged: 3, Expected: 1, Delivered: 1, Optional: 1},
		},
		"a gap in which nothing was": {
			"joining joined 0 -0 gap5-6", Result{Acknowledged: 1, Expected: 1, Delivered: 1, EmptyGaps: 1},
		},
		"a gap in which something may have been": {
			"joining joined 0 -0 ?1 gap5-6", Result{Acknowledged: 1, Expected: 1, Delivered: 1},
		},
		"who asks for more must get it": {
			"joining joined 0 -0 leaving 1 2 after0 joined -1", Result{Acknowledged: 3, Expected: 3, Delivered: 2, Lost: 1},
		},
		"a place that is before the question": {
			"0 1 subscribing joinedat0 2 -1", Result{Acknowledged: 3, Expected: 2, Delivered: 1, Lost: 1},
		},
		"a place that is after it": {
			"subscribing 0 1 joinedat0 -0 -1", Result{Acknowledged: 2, Expected: 1, Delivered: 1, Optional: 1, Uninvited: 1},
		},
		"what has no answer may be of the next stay": {
			"joining joined leaving 0 1 ?2 subscribing joinedat1 3 -2 -3", Result{Acknowledged: 3, Expected: 1, Delivered: 1, Unacknowledged: 1},
		},
		"an epoch ends": {
			"joining joined 0 -0 1 afresh 2 -2", Result{Acknowledged: 3, Expected: 2, Delivered: 2},
		},
		"an epoch ends, and a message is lost after it": {
			"joining joined 0 -0 1 afresh 2 3 -3", Result{Acknowledged: 4, Expected: 3, Delivered: 2, Lost: 1},
		},
		"what has no answer has no order": {
			"joining joined ?0 1 -1 -0", Result{Acknowledged: 1, Expected: 1, Delivered: 1, Unacknowledged: 1},
		},
		"nor must it come": {
			"joining joined ?0 1 -1", Result{Acknowledged: 1, Expected: 1, Delivered: 1},
		},
		"but once": {
			"joining joined ?0 1 -1 -0 -0", Result{Acknowledged: 1, Expected: 1, Delivered: 1, Unacknowledged: 1, Duplicated: 1},
		},
	} {
		l := New()
		for word := range strings.FieldsSeq(c.story) {
			tell(l, word)
		}
		if diff := cmp.Diff(c.want, l.Result()); diff != "" {
			t.Errorf("%s: %s: (-want +got)\n%s", name, c.story, diff)
		}
		if broken := len(l.Problems(10)); broken > 0 == l.Result().Kept() {
			t.Errorf("%s: %d problems are named", name, broken)
		}
	}
}

func tell(l *Ledger, word string) {
	switch word {
	case "joining":
		l.Joining(user, ch)
	case "joined":
		l.Joined(user, ch)
	case "leaving":
		l.Leaving(user, ch)
	case "subscribing":
		l.Subscribing(user, ch)
	case "joinedat0", "joinedat1":
		l.JoinedAt(user, ch, wire.Seq(100+word[len(word)-1]-'0'))
	case "afresh":
		l.Afresh(user)
	default:
		digit := func(i int) int { return int(word[i] - '0') }
		place := func(i int) wire.Seq { return wire.Seq(100 + digit(i)) }
		switch word[0] {
		case 'g':
			l.Gap(user, ch, place(3), place(5))
		case '!':
			l.AcknowledgedAt(ch, digit(1), place(1))
		case 'a':
			l.JoiningAfter(user, ch, digit(5))
		case '-':
			l.Saw(user, ch, digit(1))
		case '?':
			l.Next(ch)
		default:
			l.AcknowledgedAt(ch, l.Next(ch), place(0))
		}
	}
}

// What was under way when the logs lost their end may come once more; what was
// acknowledged by then, or is published later, may not.
func TestPowerLoss(t *testing.T) {
	l := New()
	l.Expect(user, ch)
	for range 3 { // 2 is tried again afterwards
		l.Next(ch)
	}
	l.Acknowledged(ch, 0)
	l.Acknowledged(ch, 1)
	see := func(numbers ...int) {
		for _, n := range numbers {
			l.Saw(user, ch, n)
		}
	}
	see(0, 1, 2)
	l.PowerLoss()
	l.Afresh(user)
	l.Acknowledged(ch, 2)
	l.Acknowledged(ch, l.Next(ch))
	see(2, 3)
	if r := l.Result(); !r.Kept() {
		t.Errorf("%+v", r)
	}
	see(0, 2, 3)
	if r := l.Result(); r.Duplicated != 3 {
		t.Errorf("%+v, want three that came again", r)
	}
}
