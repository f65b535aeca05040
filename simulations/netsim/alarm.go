package netsim

import "time"

// alarm wakes the wire when something is due. A timer that is moved while it runs
// makes the bubble look through all of its timers, and the next event changes with
// almost every packet: so none is moved. Where an earlier time is wanted another timer
// is added, and the later one wakes the wire for nothing.
type alarm struct {
	timer *time.Timer
	runs  bool    // timer does; its owner clears it when it has heard from C
	due   []int64 // of all that run, Unix nanoseconds: the earliest last
	ring  func()  // wakes the wire; called from other goroutines
}

// set has the wire wake at a time, or before.
func (a *alarm) set(at int64) {
	now := time.Now().UnixNano()
	for len(a.due) > 0 && a.due[len(a.due)-1] <= now {
		a.due = a.due[:len(a.due)-1]
	}
	if len(a.due) > 0 && a.due[len(a.due)-1] <= at {
		return
	}
	if at > now {
		a.due = append(a.due, at)
	}
	if a.runs {
		time.AfterFunc(time.Duration(at-now), a.ring)
		return
	}
	a.runs = true
	a.timer.Reset(time.Duration(at - now))
}
