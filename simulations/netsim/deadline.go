package netsim

import (
	"sync"
	"time"
)

// deadline is one of a socket's: it wakes those that wait on cond when it
// passes. Its fields are guarded by the network's mutex, which is cond's.
type deadline struct {
	cond  *sync.Cond
	at    time.Time // zero = none
	timer *time.Timer
}

func (d *deadline) passedLocked() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) setLocked(at time.Time) {
	d.stopLocked()
	d.at = at
	if at.IsZero() {
		return
	}
	wait := time.Until(at)
	if wait <= 0 {
		d.cond.Broadcast()
		return
	}
	d.timer = time.AfterFunc(wait, func() {
		d.cond.L.Lock()
		defer d.cond.L.Unlock()
		d.cond.Broadcast()
	})
}

func (d *deadline) stopLocked() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
