package link

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// blocked is a stream that takes nothing until it is closed.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) {
	<-b
	return len(p), nil
}

// written counts writes.
type written chan struct{}

func (w written) Write(p []byte) (int, error) {
	w <- struct{}{}
	return len(p), nil
}

// A stream that takes nothing does not keep those of other logs waiting.
func TestAStuckStreamHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stuck := newCompany(), make(blocked)
		first := c.join(stuck, nil, time.Now())
		second := c.join(io.Discard, nil, time.Now())
		<-second.done
		select {
		case <-first.done:
			t.Error("a write that blocks is done")
		default:
		}
		if c.withdraw(first) {
			t.Error("a turn that is being written was withdrawn")
		}
		close(stuck)
		<-first.done
	})
}

// What waited while the process stood still is left out: it would be taken for the
// present.
func TestAnOldWatermarkIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, out := newCompany(), make(written, 2)
		old, young := c.join(out, nil, time.Now().Add(-watermarkAge)), c.join(out, nil, time.Now())
		<-old.done
		<-young.done
		if len(out) != 1 {
			t.Errorf("%d of them were written, the young one should be", len(out))
		}
	})
}
