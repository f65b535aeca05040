package link

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire/tail"
)

// An edge takes a watermark for the present when it comes, so one that has waited in
// the tail is not sent: it would make fresh what may be as old as the tail. What the
// wall clock says is not looked at: at a relay it is another one than the core's.
func TestOldWatermarksAreNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		waited, clock time.Duration
		sent          bool
	}{
		"of now":                            {0, 0, true},
		"nearly too old":                    {watermarkAge - 100*time.Millisecond, 0, true},
		"too old":                           {watermarkAge + 100*time.Millisecond, 0, false},
		"of a clock that is off":            {0, -time.Hour, true},
		"too old, of a clock that is ahead": {watermarkAge + 100*time.Millisecond, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFeed(nil, 0, 1, io.Discard, "", &ServerEvents{Sent: func(string, tail.Kind, int) {}}, newCompany())
				tl := tail.New(1<<20, 0)
				tl.Append(StampWatermark(7, 0, time.Now().Add(c.clock)))
				time.Sleep(c.waited)
				records, err := tl.Follow(0).Read(nil, 10, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				f.appendWanted(records)
				if sent := len(f.buf) > 0; sent != c.sent {
					t.Errorf("sent is %v, want %v", sent, c.sent)
				}
			})
		})
	}
}
