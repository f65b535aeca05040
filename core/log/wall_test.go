package log

import (
	"testing"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestStepsOfTheWallClockAreSeen(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	from := clocks{Wall: 1_700_000_000_000, Up: 5000}
	for name, test := range map[string]struct {
		from, to clocks
		want     time.Duration
	}{
		"none":           {from, clocks{from.Wall + 3000, from.Up + 3000}, 0},
		"rounding":       {from, clocks{from.Wall + 3400, from.Up + 3000}, 0},
		"forward":        {from, clocks{from.Wall + hour + 3000, from.Up + 3000}, time.Hour},
		"back":           {from, clocks{from.Wall - hour + 3000, from.Up + 3000}, -time.Hour},
		"unknown before": {clocks{Wall: from.Wall}, clocks{from.Wall + hour, 3000}, 0},
		"unknown now":    {from, clocks{Wall: from.Wall + hour}, 0},
		"nothing before": {clocks{}, clocks{from.Wall, 3000}, 0},
	} {
		if got := step(test.from, test.to); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		m := mark{BootID: "one", Clocks: test.from}
		if got := m.stepped("one", test.to); got != test.want {
			t.Errorf("%s: since the mark %v, want %v", name, got, test.want)
		}
		if m.stepped("two", test.to) != 0 || (&mark{Clocks: test.from}).stepped("", test.to) != 0 {
			t.Errorf("%s: a step is seen across boots", name)
		}
	}
	if a, b := readClocks(), readClocks(); a.Up == 0 || a.Wall == 0 || step(a, b) != 0 {
		t.Errorf("the clocks are %+v, then %+v", a, b)
	}
}

// forgets makes the engine forget the ids of log 0, as a wall clock that is set
// forward does, and waits until it has forgotten that of last, the newest.
func forgets(t *testing.T, s *Store, last *wire.Post) {
	t.Helper()
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	cfg := streamConfig(&s.cfg, 0)
	cfg.Duplicates = minAge
	id := idOf(last.Ch, "key", last.MsgID).String()
	for end := time.Now().Add(20 * time.Second); ; {
		cfg.Duplicates++ // it looks at its ids when this changes, but may still go by the old one
		if _, err := sess.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		ack, err := sess.js.PublishMsg(t.Context(), &nats.Msg{
			Subject: channelSubject(0, "room:other"), Header: nats.Header{jetstream.MsgIDHeader: {id}}, Data: wire.AppendBody(nil, post("other")),
		})
		if err != nil {
			t.Fatal(err)
		}
		if !ack.Duplicate {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the engine forgets nothing")
		}
	}
}

func withID(text, id string) *wire.Post {
	p := post(text)
	p.MsgID = id
	return p
}

func mustPublish(t *testing.T, s *Store, p *wire.Post) Placed {
	t.Helper()
	placed, err := s.Publish(t.Context(), "key", p)
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func TestIDsOutliveAStepOfTheWallClock(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	first := mustPublish(t, s, withID("x", "1"))
	mustPublish(t, s, withID("y", "2"))
	forgets(t, s, withID("y", "2"))
	if again := mustPublish(t, s, withID("x", "1")); !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	if _, err := s.Publish(t.Context(), "key", withID("z", "1")); err == nil {
		t.Error("an id is used again for other content")
	}
}

func TestIDsOutliveAStepWhileClosed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forward time.Duration // since the mark was written
		boot    string
		known   bool
	}{
		"set forward": {time.Hour, "one", true},
		// What shows that the engine itself forgets.
		"not set":        {0, "one", false},
		"another boot":   {time.Hour, "two", false},
		"set back again": {-time.Hour, "one", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Dir: t.TempDir(), Logs: 1, BootID: func() string { return "one" }}
			s, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			first := mustPublish(t, s, withID("x", "1"))
			for range recallStep {
				mustPublish(t, s, post("-"))
			}
			mustPublish(t, s, withID("y", "2"))
			forgets(t, s, withID("y", "2"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			m, err := readMark(cfg.Dir)
			if err != nil {
				t.Fatal(err)
			}
			m.Clocks.Wall -= test.forward.Milliseconds()
			if err := writeMark(cfg.Dir, &m); err != nil {
				t.Fatal(err)
			}
			cfg.BootID = func() string { return test.boot }
			if s, err = Open(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			if again := mustPublish(t, s, withID("x", "1")); again.Duplicate != test.known || test.known && again.Seq != first.Seq {
				t.Errorf("repeated: %+v, first %+v", again, first)
			}
		})
	}
}

func TestOnlyTheWindowIsRecalled(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	mustPublish(t, s, withID("x", "1"))
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	s.recent[0] = newRecent(time.Minute)
	find := func() bool {
		_, ok := s.recent[0].find(idOf("room:a", "key", "1"), time.Now())
		return ok
	}
	if _, err := s.recallSome(t.Context(), sess, 0, s.End(0), time.Now().Add(time.Hour)); err != nil || find() {
		t.Errorf("an old id is recalled: %v", err)
	}
	if _, err := s.recallSome(t.Context(), sess, 0, s.End(0), time.Now().Add(-time.Hour)); err != nil || !find() {
		t.Errorf("a recent id is not recalled: %v", err)
	}
}
