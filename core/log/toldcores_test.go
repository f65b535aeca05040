package log_test

import (
	"errors"
	"testing"
	"time"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// The clock of whoever leads a log is set forward, and the engine forgets the ids.
// A repetition is recognised all the same, at whichever core.
func TestIDsOutliveAStepOfTheWallClockAtOtherCores(t *testing.T) {
	t.Parallel()
	url := startNATS(t, t.TempDir())
	var stores []*corelog.Store
	for range 3 {
		cfg := external(t.TempDir(), url)
		cfg.Logs = 1
		stores = append(stores, open(t, cfg))
	}
	with := func(text, id string) *wire.Post {
		p := post("room:a", text)
		p.MsgID = id
		return p
	}
	known := func(id string) {
		t.Helper()
		for _, s := range stores {
			eventually(t, "all cores know of "+id, func() bool { return corelog.Remembers(s, with("", id), "key") })
		}
	}
	first := publish(t, stores[0], with("x", "1"))
	last := with("y", "2")
	publish(t, stores[0], last)
	known("1")
	known("2")
	corelog.Forgets(t, stores[0], last)
	for i, s := range stores {
		if again := publish(t, s, with("x", "1")); !again.Duplicate || again.Seq != first.Seq {
			t.Errorf("repeated at core %d: %+v, first %+v", i, again, first)
		}
		if _, err := s.Publish(t.Context(), "key", with("z", "1")); !errors.Is(err, corelog.ErrIDReused) {
			t.Errorf("other content at core %d: %v", i, err)
		}
	}
	// What shows that the engine itself has forgotten: a core that has heard nothing.
	cfg := external(t.TempDir(), url)
	cfg.Logs, cfg.DedupWindow = 1, 100*time.Millisecond // what the engine has now
	if again := publish(t, open(t, cfg), with("x", "1")); again.Duplicate {
		t.Error("the engine remembers: this test shows nothing")
	}
}

// A core that opened its session again tells and hears as before.
func TestIDsAreToldAfterASessionIsOpenedAgain(t *testing.T) {
	t.Parallel()
	url := startNATS(t, t.TempDir())
	var stores []*corelog.Store
	for range 2 {
		cfg := external(t.TempDir(), url)
		cfg.Logs = 1
		stores = append(stores, open(t, cfg))
	}
	old := corelog.Session(stores[0])
	if _, err := corelog.Break(stores[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has another session", func() bool {
		now := corelog.Session(stores[0])
		return now != nil && now != old
	})
	for i, id := range []string{"1", "2"} {
		p := post("room:a", "x")
		p.MsgID = id
		eventually(t, "a publish is acknowledged", func() bool {
			_, err := stores[i].Publish(t.Context(), "key", p)
			return err == nil
		})
		eventually(t, "the other one knows of "+id, func() bool { return corelog.Remembers(stores[1-i], p, "key") })
	}
}
