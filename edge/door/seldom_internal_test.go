package door

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What strangers can cause is told once a minute, by a clock that nobody sets.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s seldom
		told := 0
		for range 300 { // five minutes
			if s.now() {
				told++
			}
			time.Sleep(time.Second)
		}
		if told != 5 {
			t.Errorf("told %d times in five minutes", told)
		}
	})
	// Without a reading of the monotonic clock, a wall clock that is set back by an
	// hour would silence it for an hour. (In a bubble there is none.)
	var s seldom
	s.now()
	if at := s.last.Load().String(); !strings.Contains(at, " m=") {
		t.Errorf("%v has no reading of the monotonic clock", at)
	}
}
