package link

import (
	"io"
	"testing"
	"time"

	"selvedge/wire/tail"
)

// An edge takes a watermark for the present when it comes, so one that has waited in
// the tail is not sent: it would make fresh what may be as old as the tail.
func TestOldWatermarksAreNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		age  time.Duration
		sent bool
	}{
		"of now":          {0, true},
		"nearly too old":  {watermarkAge - 100*time.Millisecond, true},
		"too old":         {watermarkAge + 100*time.Millisecond, false},
		"of another time": {-time.Hour, true}, // the clock was set back
	} {
		f := newFeed(nil, 0, 1, nil, io.Discard, "", &ServerEvents{Sent: func(string, tail.Kind, int) {}})
		f.appendWanted([]tail.Record{StampWatermark(7, 0, time.Now().Add(-c.age))})
		if sent := len(f.buf) > 0; sent != c.sent {
			t.Errorf("%s: sent is %v, want %v", name, sent, c.sent)
		}
	}
}
