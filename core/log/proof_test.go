package log_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// copied is a copy of a folder.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// using opens a store, does something with it, and closes it.
func using(t *testing.T, cfg corelog.Config, do func(s *corelog.Store)) {
	t.Helper()
	s, err := corelog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A log whose end was cut off, and which has grown again past what was shown,
// with the same records even: numbers that readers have seen mean others now.
func TestALogThatWasCutAndHasGrownAgain(t *testing.T) {
	t.Parallel()
	frames := func(s *corelog.Store, n int) {
		for range n {
			publish(t, s, post("room:a", "x"))
		}
	}
	// Each is a record of the same key: the one before is gone.
	state := func(s *corelog.Store, id wire.UserID, n int) {
		t.Helper()
		expect := wire.Seq(0)
		for i := range n {
			res := s.AppendState(t.Context(), []corelog.StateAppend{{Record: user(id, uint64(i+1)), Expect: expect}})
			if res[0].Err != nil {
				t.Fatal(res[0].Err)
			}
			expect = res[0].Seq
		}
	}
	keep := func(m map[string]any) {}
	for name, test := range map[string]struct {
		first, shown, after func(s *corelog.Store) // before the copy; what it lacks; what it has instead
		edit                func(m map[string]any)
		changes             bool
	}{
		"frames": {
			func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 8) }, keep, true,
		},
		"frames, no more than were shown": {
			func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 5) }, keep, true,
		},
		"state": {
			func(s *corelog.Store) { state(s, "a", 1) }, func(s *corelog.Store) { state(s, "b", 3) }, func(s *corelog.Store) { state(s, "b", 3); frames(s, 1) }, keep, true,
		},
		"state, and the newest is superseded": {
			func(s *corelog.Store) {}, func(s *corelog.Store) { state(s, "a", 1) },
			func(s *corelog.Store) { state(s, "a", 1); state(s, "b", 2) }, // b's first is gone
			func(m map[string]any) {
				m["shown"].(map[string]any)["state"] = 2
				proofs := m["proofs"].(map[string]any)
				proofs["state"] = append(proofs["state"].([]any), map[string]any{"seq": 2, "sum": "of b's first"})
			}, true,
		},
		"nothing was shown that the copy lacks": {
			func(s *corelog.Store) { frames(s, 5); state(s, "a", 2) }, func(*corelog.Store) {}, func(s *corelog.Store) { frames(s, 5); state(s, "b", 2) }, keep, false,
		},
		"a mark of an older build": {
			func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 5) }, func(s *corelog.Store) { frames(s, 8) },
			func(m map[string]any) { delete(m, "proofs") }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t.TempDir())
			cfg.Logs = 1
			using(t, cfg, test.first)
			other := cfg
			other.Dir = copied(t, cfg.Dir)
			epoch := ""
			using(t, cfg, func(s *corelog.Store) { test.shown(s); epoch = s.Epoch() })
			using(t, other, test.after)
			edit(t, cfg.Dir, test.edit)
			if err := os.RemoveAll(filepath.Join(cfg.Dir, "log")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(other.Dir, "log"), filepath.Join(cfg.Dir, "log")); err != nil {
				t.Fatal(err)
			}
			var now string
			using(t, cfg, func(s *corelog.Store) { now = s.Epoch() })
			if changed := now != epoch; changed != test.changes {
				t.Errorf("the epoch changed: %v", changed)
			}
			using(t, cfg, func(s *corelog.Store) {
				if s.Epoch() != now {
					t.Error("it changes again")
				}
			})
		})
	}
}

// proven is the newest position of a log of which a folder has a proof.
func proven(t *testing.T, dir, log string) wire.Seq {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "epoch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Proofs map[string][]struct{ Seq wire.Seq }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if all := m.Proofs[log]; len(all) > 0 {
		return all[len(all)-1].Seq
	}
	return 0
}

// Proofs don't wait for a stop in order.
func TestProofsAreKeptFreshWhileOpen(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs = 1
	s := open(t, cfg)
	for _, n := range []wire.Seq{1, 2} {
		publish(t, s, post("room:a", "x"))
		eventually(t, fmt.Sprintf("there is a proof of %d", n), func() bool { return proven(t, cfg.Dir, "0") == n })
	}
}

// An external NATS goes away, and comes back as it was before, and with what
// somebody else has written since: a core that was open all the time sees it.
func TestAnExternalNATSThatComesBackAsAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, port, stop := natsAt(t, dir, 0)
	cfg := external(t.TempDir(), url)
	cfg.Logs = 1
	s := open(t, cfg)
	write := func(n int) {
		t.Helper()
		for range n {
			eventually(t, "a publish is acknowledged", func() bool {
				_, err := s.Publish(t.Context(), "key", post("room:a", "x"))
				return err == nil
			})
		}
	}
	write(5)
	stop()
	older := copied(t, dir)
	_, _, stop = natsAt(t, dir, port)
	write(5)
	eventually(t, "there is a proof of the end", func() bool { return proven(t, cfg.Dir, "0") == s.End(0) })
	stop()
	elsewhere, _, stopElsewhere := natsAt(t, older, 0)
	another := external(t.TempDir(), elsewhere)
	another.Logs = 1
	using(t, another, func(other *corelog.Store) {
		if other.Epoch() != s.Epoch() {
			t.Error("it has another epoch before anybody can know")
		}
		for other.End(0) <= s.End(0) {
			publish(t, other, post("room:a", "x"))
		}
	})
	stopElsewhere()
	natsAt(t, older, port)
	if err := s.Follow(t.Context(), 0, s.End(0), func([]corelog.Stored) error { return nil }); !errors.Is(err, corelog.ErrTailLost) {
		t.Errorf("it goes on until %v", err)
	}
}

// Two of three cores come back as they were before, the third is not there, and
// they go on past what it has seen. It sees that when it is back.
func TestTwoOfThreeThatWereCutAndHaveGrownAgain(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	c.start(c.names...)
	c.settle()
	more := func(name string, n int) {
		t.Helper()
		for i := range n {
			publish(t, c.stores[name], post("room:a", fmt.Sprint(name, i)))
		}
	}
	more("a", 3)
	c.stop(c.names...)
	older := map[string]string{"a": copied(t, c.dirs["a"]), "b": copied(t, c.dirs["b"])}
	c.start(c.names...)
	more("c", 3)
	p, epoch := wire.LogOf("room:a", c.stores["c"].Logs()), c.stores["c"].Epoch()
	eventually(t, "core c has a proof of the end", func() bool {
		return proven(t, c.dirs["c"], fmt.Sprint(p)) == c.stores["c"].End(p)
	})
	c.stop(c.names...)
	maps.Copy(c.dirs, older)
	c.start("a", "b")
	if c.stores["a"].Epoch() != epoch {
		t.Error("they have another epoch before anybody can know")
	}
	more("b", 9)
	c.refused("c")
	c.stop("a", "b")
	c.dirs["c"] = t.TempDir() // as it was told
	c.start(c.names...)
	for _, name := range c.names {
		if now := c.stores[name].Epoch(); now == epoch || now != c.stores["a"].Epoch() {
			t.Errorf("core %s has the epoch %s, it was %s", name, now, epoch)
		}
	}
	// Any copy may answer, also that of core c.
	want := "a0 a1 a2 b0 b1 b2 b3 b4 b5 b6 b7 b8 "
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 30 {
		<-tick.C
		frames, _, err := c.stores["c"].ReadChannel(t.Context(), "room:a", 0, 0, 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, f := range frames {
			said += text(t, f.Body) + " "
		}
		if said != want {
			t.Fatalf("core c reads %q, want %q", said, want)
		}
	}
}

// refused holds a core whose own copy has what the others' has not to what it must
// do: not start, say what to do, and change the epoch.
func (c *trio) refused(name string) {
	c.t.Helper()
	if s, err := corelog.Open(c.t.Context(), c.config(name)); !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), c.dirs[name]) || !strings.Contains(err.Error(), "empty folder") {
		c.t.Fatalf("core %s opens (%v), or says %v", name, s != nil, err)
	}
	type end struct {
		name string
		err  error
	}
	left := len(c.stores)
	ends := make(chan end, left)
	for other, s := range c.stores {
		go func() {
			ends <- end{other, s.Follow(c.t.Context(), 0, 0, func([]corelog.Stored) error { return nil })}
		}()
	}
	for left > 0 {
		e := <-ends
		if left--; !errors.Is(e.err, corelog.ErrTailLost) {
			c.t.Fatalf("core %s goes on until %v", e.name, e.err)
		}
		if left == 0 {
			return
		}
		select {
		case next := <-ends:
			ends <- next
		case <-time.After(5 * time.Second): // one can't hear of it alone: who has is started again, as always
			c.stop(e.name)
			c.start(e.name)
		}
	}
}
