package world

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"go.uber.org/goleak"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed of each scenario")
	seeds     = flag.Uint64("seeds", 1, "how many seeds each scenario is played with")
	verbose   = flag.Bool("logs", false, "show the nodes' logs, with virtual times")
)

func TestMain(m *testing.M) {
	ats.Register() // its goroutine must not belong to a bubble
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		ats.Unregister()
		os.Exit(code)
	}), goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(strings.ReplaceAll(s.Name, " ", "-"), func(t *testing.T) {
			for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
				play(t, &s, seed)
			}
		})
	}
}

// A log that has lost its end and uses its positions again is what all epochs are
// for: a judge that does not see it sees nothing.
func TestALogThatLosesItsEndUnnoticedIsSeen(t *testing.T) {
	s := powerLoss(false)
	report := run(t, &s, *firstSeed)
	if report == nil {
		return // said already
	}
	if report.Good() || report.Lost == 0 {
		t.Errorf("acknowledged messages are gone, and nobody was told to start afresh, and this is the report:\n%v", report)
	}
}

func run(t *testing.T, s *Scenario, seed uint64) (report *Report) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if report, err = s.Play(t.Context(), seed, dir, logger()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	})
	return report
}

func play(t *testing.T, s *Scenario, seed uint64) {
	t.Helper()
	begin := time.Now()
	report := run(t, s, seed)
	switch {
	case report == nil:
	case report.Good():
		t.Logf("%v; %v of real time", report, time.Since(begin).Round(time.Millisecond))
	default:
		t.Errorf("%v\nagain: go test ./simulations/world -run '%s' -seed %d -logs", report, t.Name(), seed)
	}
}

func logger() *slog.Logger {
	if !*verbose {
		return nil
	}
	begin := time.Now()
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.String("at", fmt.Sprint(time.Since(begin)))
			}
			return a
		},
	}))
}
