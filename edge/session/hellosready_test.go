package session

import (
	"slices"
	"strings"
	"testing"

	"selvedge/wire"
)

// Of a crowd those who resume are asked for first, but a quarter of each question
// is for those who are new; who stays alone has all of it. Each kind keeps its order.
func TestWhoResumesIsAskedForFirst(t *testing.T) {
	const n = wire.MaxHellos
	for name, tc := range map[string]struct {
		fresh, back int
		want        [][2]int // of each question: who resumes, who is new
	}{
		"few":             {3, 5, [][2]int{{5, 3}}},
		"a crowd of both": {n, 2 * n, [][2]int{{n - n/4, n / 4}, {n - n/4, n / 4}, {n / 2, n / 2}}},
		"few resume":      {3 * n / 2, 3, [][2]int{{3, n - 3}, {0, n/2 + 3}}},
		"few are new":     {3, n, [][2]int{{n - 3, 3}, {3, 0}}},
		"nobody resumes":  {n + 1, 0, [][2]int{{0, n}, {0, 1}}},
		"nobody is new":   {0, n + 1, [][2]int{{n, 0}, {1, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			var gs greetings
			var fresh, back []*greeting
			for range tc.fresh {
				fresh = append(fresh, &greeting{})
			}
			for range tc.back {
				back = append(back, &greeting{resume: &resume{}})
			}
			gs.add(fresh...)
			gs.add(back...)
			for i, want := range tc.want {
				got := gs.take()
				wanted := slices.Concat(back[:want[0]], fresh[:want[1]])
				if !slices.Equal(got, wanted) {
					t.Fatalf("the %d. question is for %s, want %s", i+1, kinds(got), kinds(wanted))
				}
				if i == 0 {
					gs.again(got)
					if again := gs.take(); !slices.Equal(again, got) {
						t.Fatalf("asked again: %s, want %s", kinds(again), kinds(got))
					}
				}
				back, fresh = back[want[0]:], fresh[want[1]:]
			}
			if gs.len() != 0 || gs.back != nil || gs.fresh != nil {
				t.Errorf("%d are left", gs.len())
			}
		})
	}
}

// kinds is b for each that resumes, and f for each that is new.
func kinds(list []*greeting) string {
	var s strings.Builder
	for _, g := range list {
		s.WriteString(map[bool]string{true: "f", false: "b"}[g.fresh()])
	}
	return s.String()
}
