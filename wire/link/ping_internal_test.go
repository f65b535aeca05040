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

// Pongs are told by their names, in whatever order they come, each once, and those of
// old pings not at all.
func TestPongs(t *testing.T) {
	const ahead = time.Hour // the peer's clock
	var p pings
	begin := time.Now()
	at := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second) }
	// pong says what one says that was on its way for 2 ms, half of it each way.
	pong := func(name int64) (rtt, offset time.Duration, ok bool) {
		now := time.Unix(0, name).Add(2 * time.Millisecond)
		return p.pong(name, name+int64(ahead+time.Millisecond), now.UnixNano(), begin.Add(time.Duration(name-begin.UnixNano())+2*time.Millisecond))
	}
	var names []int64
	for i := range maxPings + 2 {
		names = append(names, p.sent(at(i)))
	}
	for _, name := range append([]int64{0, 1, names[5] + 1, names[5] - 1, (time.Time{}).UnixNano()}, names[:2]...) {
		if _, _, ok := pong(name); ok {
			t.Errorf("a pong %d without a ping counts", name)
		}
	}
	for _, i := range []int{9, 2, 17, 3, 16, 10, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15} {
		if rtt, offset, ok := pong(names[i]); !ok || rtt != 2*time.Millisecond || offset != ahead {
			t.Errorf("ping %d took %v, the peer is %v ahead, %t", i, rtt, offset, ok)
		}
		if _, _, ok := pong(names[i]); ok {
			t.Errorf("pong %d counts twice", i)
		}
	}
	// Between this ping and its pong our wall clock was set.
	for _, step := range []time.Duration{time.Second, -time.Second} {
		name, now := p.sent(at(50)), at(51)
		if _, _, ok := p.pong(name, name, now.Add(step).UnixNano(), now); ok {
			t.Errorf("a ping counts during which the clock was set by %v", step)
		}
	}
	// What is remembered has the monotonic clock's reading: a time without one would
	// be a difference of wall clocks.
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
