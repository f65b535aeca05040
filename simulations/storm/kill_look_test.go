package storm

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/edge/client"
)

// A mover that was cut off twice is one client, and back with the last of its trips.
func TestMoversAreCountedOnce(t *testing.T) {
	out := &Kill{Movers: 2}
	out.travelled([]crewWord{{Trips: []Trip{
		{Member: 0, Lost: 11 * time.Second, Back: 12 * time.Second, Tries: 1},
		{Member: 0, Lost: 13 * time.Second, Back: 15 * time.Second, Tries: 2, Afresh: true},
		{Member: 2, Lost: 11 * time.Second, Back: 12 * time.Second, Tries: 1},
	}}}, 10*time.Second)
	if out.Back != (Spread{1, 5, 5, 5, 5}) || out.Lost.All != 1 || out.Tries != 3 || out.Afresh != 1 || out.Disturbed != 1 || out.took != 5*time.Second {
		t.Errorf("%+v", out)
	}
}

// What is waited for are members, too, not trips.
func TestReturnsAreCountedOnce(t *testing.T) {
	r := newRecord(func() time.Duration { return 0 })
	m := &member{rec: r}
	r.members = []*member{m}
	again := func() {
		for _, kind := range []client.StateKind{client.Waiting, client.Connecting, client.Connected} {
			m.state(client.State{Kind: kind})
		}
	}
	m.state(client.State{Kind: client.Connected})
	again()
	again()
	if r.returned != 1 || len(r.trips) != 2 {
		t.Errorf("%d have returned from %d trips", r.returned, len(r.trips))
	}
	r.clear()
	again()
	if r.returned != 1 {
		t.Errorf("%d have returned after that", r.returned)
	}
}

// A message that was sent in the calm and held up by the storm is the calm's, and one of
// the storm is, even if it comes after.
func TestMessagesBelongToWhenTheyWereSent(t *testing.T) {
	r := newRecord(nil)
	for _, of := range []struct{ sent, came time.Duration }{{-2, 3}, {1, 9}, {6, 7}} {
		r.now = func() time.Duration { return of.came * time.Second }
		r.delivered(&member{stays: true}, of.sent*time.Second)
	}
	out := &Kill{late: r.late, took: 5 * time.Second}
	out.delays()
	if diff := cmp.Diff([]Late{{1, 5000, 5000, 5000}, {1, 8000, 8000, 8000}}, []Late{out.Calm, out.Storm}); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCalmCostsIsNoStorms(t *testing.T) {
	got := used{10 * time.Second, 5 * time.Second, time.Second}.beyond(used{time.Second, 2 * time.Second, 4 * time.Second}, 0.5)
	if want := (used{9500 * time.Millisecond, 4 * time.Second, 0}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatTheCoreMayBeAsked(t *testing.T) {
	for _, c := range []struct {
		k    Kill
		want int
	}{
		{Kill{Movers: 10_000, Bound: 203, siblings: 2, Rate: 5000}, 203},
		{Kill{Movers: 1000, Bound: 13, siblings: 2, Rate: 400}, 100},
		{Kill{Movers: 1000, Bound: 203, siblings: 2, Rate: 40}, 1000}, // no storm
	} {
		if got := c.k.mayAsk(); got != c.want {
			t.Errorf("%+v: %d", c.k, got)
		}
	}
}
