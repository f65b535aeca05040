package log_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// What a core is told of a log's end covers what was acknowledged at any core; and
// a core that has lost the others is told nothing, whether it leads the log or not.
func TestLatestTakesAMajority(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	c.start(c.names...)
	logs := []wire.LogID{0, 1, wire.StateLog}
	for i, name := range c.names {
		placed := publish(t, c.stores[name], post(wire.Channel(fmt.Sprint("room:", i)), "x"))
		for _, other := range c.names {
			if end, err := c.stores[other].Latest(t.Context(), placed.P); err != nil || end < placed.Seq {
				t.Errorf("core %s: log %d ends at %d, %v; %d was acknowledged at %s", other, placed.P, end, err, placed.Seq, name)
			}
		}
	}
	a := c.stores["a"]
	eventually(t, "core a leads a log", func() bool {
		if a.Leader(t.Context(), 0) == "a" {
			return true
		}
		_ = a.Lead(t.Context(), 0, "a")
		return false
	})
	c.stop("b", "c")
	gone := time.Now()
	for _, p := range logs {
		for {
			_, err := a.Latest(t.Context(), p)
			if errors.Is(err, corelog.ErrUnavailable) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(gone); took > 2*time.Second {
				t.Fatalf("the only core says where log %d ends, %v after the others went", p, took)
			}
		}
	}
	c.start("b")
	for _, p := range logs {
		eventually(t, "the end is known again", func() bool {
			_, err := a.Latest(t.Context(), p)
			return err == nil
		})
	}
}

// A leader's word counts if enough copies follow it.
func TestWhatALeaderSays(t *testing.T) {
	const said = `{"state":{"first_seq":3,"last_seq":7},"cluster":{"leader":"a","replicas":[%s]}}`
	replica := func(active time.Duration) string {
		return fmt.Sprintf(`{"name":"x","current":true,"active":%d}`, active)
	}
	none, now, before, long := replica(0), replica(1), replica(3*time.Second), replica(3*time.Second+1)
	for name, test := range map[string]struct {
		answer   string
		followed bool
	}{
		"one copy, not clustered":   {`{"state":{"first_seq":3,"last_seq":7}}`, true},
		"one copy in a cluster":     {fmt.Sprintf(said, ""), true},
		"both others":               {fmt.Sprintf(said, now+","+before), true},
		"one of both others":        {fmt.Sprintf(said, long+","+now), true},
		"the one never, one lately": {fmt.Sprintf(said, none+","+before), true},
		"neither lately":            {fmt.Sprintf(said, long+","+long), false},
		"neither ever":              {fmt.Sprintf(said, none+","+none), false},
		"two of five":               {fmt.Sprintf(said, strings.Join([]string{now, now, long, long}, ",")), true},
		"one of five":               {fmt.Sprintf(said, strings.Join([]string{now, long, long, none}, ",")), false},
		"no leader":                 {strings.Replace(fmt.Sprintf(said, now+","+now), `"a"`, `""`, 1), false},
	} {
		first, last, followed, err := corelog.ParseExtent([]byte(test.answer))
		if err != nil || first != 3 || last != 7 || followed != test.followed {
			t.Errorf("%s: %d to %d, followed %v, %v", name, first, last, followed, err)
		}
	}
	for _, bad := range []string{"", "{", `{"error":{"code":503,"err_code":10008}}`, `{"state":{"last_seq":"x"}}`} {
		if _, _, _, err := corelog.ParseExtent([]byte(bad)); !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func BenchmarkLatest(b *testing.B) {
	c := newTrio(b)
	c.start(c.names...)
	b.ResetTimer()
	for b.Loop() {
		if _, err := c.stores["a"].Latest(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
