package edge

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// An edge lags by what a log's core has and this edge has not taken; nothing that
// it has taken counts, also when it is ahead of what was told.
func TestLogLag(t *testing.T) {
	f := newFollower(t)
	ends := map[wire.LogID]wire.Seq{0: 10, 1: 90, wire.StateLog: 7}
	l := lags{f.n, func(p wire.LogID) wire.Seq { return ends[p] }}
	if n := testutil.CollectAndCount(l); n != 0 {
		t.Errorf("%d lags before the first link", n)
	}
	begin(t, f, "e1", 10, 20, 7)
	shows := func(zero, one, state int) {
		t.Helper()
		want := fmt.Sprintf("# HELP selvedge_edge_log_lag_frames How many frames of a log its core had, when it last told, that this edge has yet to take.\n"+
			"# TYPE selvedge_edge_log_lag_frames gauge\n"+
			"selvedge_edge_log_lag_frames{log=\"0\"} %d\nselvedge_edge_log_lag_frames{log=\"1\"} %d\nselvedge_edge_log_lag_frames{log=\"state\"} %d\n", zero, one, state)
		if err := testutil.CollectAndCompare(l, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	shows(0, 70, 0)
	f.Records(1, []tail.Record{{Kind: tail.Watermark, Seq: 60}})
	ends[wire.StateLog] = 9
	shows(0, 30, 2)
	f.Records(1, []tail.Record{{Kind: tail.Watermark, Seq: 95}})
	f.Records(wire.StateLog, []tail.Record{{Kind: tail.Watermark, Seq: 9}})
	shows(0, 0, 0)
}

// What comes from a core of the same region has not crossed an ocean.
func TestWhatIsReceivedCountsByScope(t *testing.T) {
	m := newNode(t).metrics
	e := m.upstreamEvents()
	e.Received("eu-west", []tail.Record{{Kind: tail.Frame, Bytes: make([]byte, 10)}, {Kind: tail.Watermark, Bytes: make([]byte, 2)}})
	e.Received("us-east", []tail.Record{{Kind: tail.Frame, Bytes: make([]byte, 30)}, {Kind: tail.Frame, Bytes: make([]byte, 30)}})
	for name, got := range map[string][2]float64{
		"frames of the region":   {testutil.ToFloat64(m.near.frames), 1},
		"bytes of the region":    {testutil.ToFloat64(m.near.bytes), 12},
		"frames from elsewhere":  {testutil.ToFloat64(m.far.frames), 2},
		"bytes from elsewhere":   {testutil.ToFloat64(m.far.bytes), 60},
		"frames for the console": {float64(m.framesN.Load()), 3},
		"bytes for the console":  {float64(m.bytesN.Load()), 72},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}

// The console is told what an edge sends to its siblings, and what it gets.
func TestWhatIsToldOfLinks(t *testing.T) {
	n := newNode(t)
	sent := n.linkEvents().Sent
	sent("eu-west", tail.Frame, 10)
	sent("eu-west", tail.Watermark, 2)
	n.metrics.upstreamEvents().Received("us-east", []tail.Record{{Kind: tail.Frame, Bytes: make([]byte, 30)}})
	if s := n.linkStatus(); s.Fed != 12 || s.Bytes != 30 {
		t.Errorf("%d bytes sent, %d received, want 12 and 30", s.Fed, s.Bytes)
	}
}

// A core that has stopped is no trouble, a link that failed is.
func TestHowTheEndOfALinkIsTold(t *testing.T) {
	for want, err := range map[string]error{
		"level=INFO msg=\"upstream left\" from=core-1":      fmt.Errorf("so it is: %w", upstream.ErrLeft),
		"level=WARN msg=\"link lost\" to=core-1 err=broken": errors.New("broken"),
	} {
		f := newFollower(t)
		var out bytes.Buffer
		f.n.cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		f.Unlinked("core-1", err)
		if got := out.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("logged %q, want %q", got, want)
		}
	}
}
