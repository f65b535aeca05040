package netsim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Events come out in the order of time, link and number, whatever order they went in, and
// none that is not due.
func TestEventsComeInOrder(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var es events
	var want []event
	for now := range int64(2000) {
		for range dice.IntN(4) {
			at, link := now+dice.Int64N(40), dice.Uint64N(5)
			es.add(at, link, nil)
			want = append(want, event{at: at, link: link, n: es.n})
		}
		slices.SortFunc(want, func(a, b event) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.link, b.link), cmp.Compare(a.n, b.n))
		})
		for {
			e, ok := es.next(now)
			if due := len(want) > 0 && want[0].at <= now; ok != due {
				t.Fatalf("at %d: an event came: %v, and one is due: %v", now, ok, due)
			}
			if !ok {
				break
			}
			if w := want[0]; e.at != w.at || e.link != w.link || e.n != w.n {
				t.Fatalf("at %d came %+v, and %+v was next", now, e, w)
			}
			want = want[1:]
		}
	}
	if len(es.heap) != len(want) {
		t.Errorf("%d are to come, and %d should be", len(es.heap), len(want))
	}
}
