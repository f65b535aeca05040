package core

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A core that drains waits for its logs to be taken elsewhere: not longer than
// that takes, not longer than it may, and not at all where there is nobody else.
func TestAwaitGone(t *testing.T) {
	for name, test := range map[string]struct {
		gone, alone, want time.Duration // since the start
	}{
		"they go":         {gone: 700 * time.Millisecond, alone: time.Hour, want: 700 * time.Millisecond},
		"they stay":       {gone: time.Hour, alone: time.Hour, want: 5 * time.Second},
		"nobody else":     {gone: time.Hour, alone: 0, want: 0},
		"the others go":   {gone: time.Hour, alone: 2 * time.Second, want: 2 * time.Second},
		"nothing is open": {gone: 0, alone: time.Hour, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				awaitGone(ctx, func() int {
					if time.Since(start) >= test.gone {
						return 0
					}
					return 17
				}, func() bool { return time.Since(start) < test.alone })
				if took := time.Since(start); took != test.want {
					t.Errorf("waited %v, want %v", took, test.want)
				}
			})
		})
	}
}
