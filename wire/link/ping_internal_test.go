package link

import (
	"strings"
	"testing"
	"time"
)

// A ping during which the wall clock was set says nothing; else it tells its round
// trip and the peer's clock, which is an hour ahead here.
func TestPingsByTheMonotonicClock(t *testing.T) {
	const rtt = 80 * time.Millisecond
	for _, step := range []time.Duration{0, time.Hour, -time.Hour, 2 * time.Millisecond, clockSlack / 2} {
		// The step comes while the pong is on its way, so that it read our clock of before.
		took, offset, ok := judge(rtt, rtt+step, time.Hour+rtt/2)
		if want := step <= clockSlack && step >= -clockSlack; ok != want {
			t.Errorf("a ping with a step of %v counts: %v", step, ok)
		} else if ok && (took != rtt || offset != time.Hour) {
			t.Errorf("it took %v, the peer is %v ahead", took, offset)
		}
	}
}

// Pongs are told by their names, each once, and those of old pings not at all.
func TestPongs(t *testing.T) {
	var p pings
	begin := time.Now()
	var names []int64
	for i := range maxPings + 2 {
		names = append(names, p.sent(begin.Add(time.Duration(i)*time.Second)))
	}
	now := begin.Add(100 * time.Second)
	for i, name := range names {
		rtt, _, ok := p.pong(name, name, now)
		if want := i >= 2; ok != want {
			t.Errorf("pong %d counts: %v", i, ok)
		} else if ok && rtt != now.Sub(begin)-time.Duration(i)*time.Second {
			t.Errorf("ping %d took %v", i, rtt)
		}
	}
	if _, _, ok := p.pong(names[5], names[5], now); ok {
		t.Error("a pong counts twice")
	}
	if _, _, ok := p.pong(1, 1, now); ok {
		t.Error("a pong without a ping counts")
	}
	// What is remembered has the monotonic clock's reading: a time without one would
	// be a difference of wall clocks.
	if at := p.at[0]; !at.IsZero() {
		t.Errorf("%v is remembered after its pong", at)
	}
	p = pings{}
	p.sent(time.Now())
	if at := p.at[0].String(); !strings.Contains(at, " m=") {
		t.Errorf("%v has no reading of the monotonic clock", at)
	}
}

// The quickest of eight is believed, and at once one that contradicts it: a clock
// was set, ours or the peer's.
func TestRace(t *testing.T) {
	const ms = time.Millisecond
	var r race
	for i, step := range []struct {
		rtt, offset time.Duration
		believed    bool
	}{
		{80 * ms, time.Hour, true}, // the first
		{90 * ms, time.Hour + 5*ms, false},
		{60 * ms, time.Hour - 9*ms, true},     // quicker
		{300 * ms, time.Hour + 150*ms, false}, // all of it on one way
		{90 * ms, 0, true},                    // set by an hour
		{80 * ms, 3 * ms, true},
		{85 * ms, 0, false},
		{85 * ms, 0, false},
		{85 * ms, 0, false},
		{85 * ms, 0, false},
		{85 * ms, 0, false},
		{85 * ms, 0, false},
		{99 * ms, 9 * ms, true}, // another run of eight
		{200 * ms, -3 * time.Second, true},
	} {
		if got := r.run(step.rtt, step.offset); got != step.believed {
			t.Errorf("ping %d, %v, %v ahead, is believed: %v", i, step.rtt, step.offset, got)
		}
	}
}
