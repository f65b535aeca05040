package log_test

import (
	"testing"
	"time"

	corelog "selvedge/core/log"
)

// The embedded servers choose another leader in half of the time that is usual. A
// variable that the server does not have, or gives another value, is an error: the
// values that are looked for before they are replaced are the server's alone.
func TestRaftTimes(t *testing.T) {
	if err := corelog.RaftTimes(); err != nil {
		t.Fatal(err)
	}
	got := corelog.RaftTimesNow()
	want := [...]time.Duration{2 * time.Second, 4500 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second, 5 * time.Second}
	if got != want {
		t.Errorf("times are %v, want %v", got, want)
	}
	// Set a second time they aren't the server's own any more: as those of another
	// version, they are refused.
	if err := corelog.SetRaftTimes(); err == nil {
		t.Error("times that are not the server's own were taken for them")
	}
	if corelog.RaftTimesNow() != want {
		t.Error("refused, and changed all the same")
	}
}
