package ledger

import "testing"

// Each way to break a promise is seen as what it is.
func TestResult(t *testing.T) {
	const ch = "room:a"
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
		l.Expect("u1", ch)
		for n := range 3 {
			l.Acknowledged(ch, n)
		}
		for _, n := range c.saw {
			if !l.Saw("u1", ch, n) {
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
	if New().Saw("u1", "room:a", 0) {
		t.Error("a client that nothing was promised to is known")
	}
}
