package log_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"selvedge/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	corelog "selvedge/core/log"
)

// TestConformance holds every kind of log to the same promises. The stores of a
// kind are several cores' views of the same logs; what one test leaves there is
// not in the way of the next.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) []*corelog.Store{
		"embedded": func(t *testing.T) []*corelog.Store {
			return []*corelog.Store{open(t, config(t.TempDir()))}
		},
		"three cores": func(t *testing.T) []*corelog.Store {
			c := newTrio(t)
			c.start(c.names...)
			return []*corelog.Store{c.stores["a"], c.stores["b"], c.stores["c"]}
		},
		"external": func(t *testing.T) []*corelog.Store {
			url := startNATS(t, t.TempDir())
			return []*corelog.Store{open(t, external(t.TempDir(), url)), open(t, external(t.TempDir(), url))}
		},
		"external cluster": func(t *testing.T) []*corelog.Store {
			return startNATSThree(t).open(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := make(t)
			for _, test := range []struct {
				name string
				run  func(t *testing.T, stores []*corelog.Store)
			}{
				{"identity", conformIdentity},
				{"what is acknowledged is read everywhere", conformReads},
				{"order", conformOrder},
				{"idempotency", conformIdempotency},
				{"followers", conformFollowers},
				{"state", conformState},
				{"no lost update", conformUpdates},
				{"sizes", conformSizes},
			} {
				t.Run(test.name, func(t *testing.T) { test.run(t, stores) })
			}
		})
	}
}

// startNATS starts a NATS of somebody else's with its data in dir, and returns
// its URL.
func startNATS(t testing.TB, dir string, change ...func(*server.Options)) string {
	t.Helper()
	options := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir, MaxPayload: 2 << 20,
	}
	for _, c := range change {
		c(options)
	}
	srv, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(limit) {
		t.Fatal("NATS does not start")
	}
	return srv.ClientURL()
}

func external(dir, url string) corelog.Config {
	cfg := config(dir)
	cfg.Servers, cfg.MaxBytes = []string{url}, 64<<20 // it reserves them
	return cfg
}

// each calls fn with every store, at the same time.
func each(stores []*corelog.Store, fn func(i int, s *corelog.Store)) {
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() { fn(i, s) })
	}
	wg.Wait()
}

func conformIdentity(t *testing.T, stores []*corelog.Store) {
	for _, s := range stores {
		if s.Epoch() != stores[0].Epoch() || s.Logs() != stores[0].Logs() || len(s.Epoch()) != 10 {
			t.Errorf("epoch %q, %d logs; the first says %q, %d", s.Epoch(), s.Logs(), stores[0].Epoch(), stores[0].Logs())
		}
		for p := range s.Logs() {
			if s.End(wire.LogID(p)) != 0 || s.Floor(wire.LogID(p)) != 0 {
				t.Errorf("new log %d: end %d, floor %d", p, s.End(wire.LogID(p)), s.Floor(wire.LogID(p)))
			}
		}
	}
}

// Every copy may be asked, and none may say "that is all" when it is behind.
func conformReads(t *testing.T, stores []*corelog.Store) {
	const ch = wire.Channel("room:a.b*c>d é")
	var placed []wire.Seq
	var p wire.LogID
	for i := range 60 {
		want := post(ch, fmt.Sprint("n", i))
		want.From, want.Refs, want.MsgID = "u1", []string{"u2"}, fmt.Sprint("id", i)
		at := publish(t, stores[i%len(stores)], want)
		p, placed = at.P, append(placed, at.Seq)
		for k, s := range stores {
			frames, more, err := s.ReadChannel(t.Context(), ch, placed[0]-1, 0, 1000, 1<<20)
			if diff := cmp.Diff(placed, seqs(frames)); diff != "" || more || err != nil {
				t.Fatalf("core %d reads the channel: more %v, %v (-want +got):\n%s", k, more, err, diff)
			}
			newest, _, err := s.ReadBefore(t.Context(), ch, 0, 1, 1<<20)
			if err != nil || len(newest) != 1 || newest[0].Seq != at.Seq {
				t.Fatalf("core %d: the newest frame is %v, %v; want %d", k, seqs(newest), err, at.Seq)
			}
			back, err := wire.ParseBody(newest[0].Body)
			if diff := cmp.Diff(*want, back); diff != "" || err != nil {
				t.Fatalf("core %d: frame %d, %v (-want +got):\n%s", k, at.Seq, err, diff)
			}
			older, more, err := s.ReadBefore(t.Context(), ch, at.Seq, 5, 1<<20)
			if diff := cmp.Diff(placed[max(0, i-5):i], seqs(older)); i > 0 && diff != "" || more != (i > 5) || err != nil {
				t.Fatalf("core %d: frames before %d: more %v, %v (-want +got):\n%s", k, at.Seq, more, err, diff)
			}
			last, err := s.Read(t.Context(), p, at.Seq-1, 1<<20)
			if err != nil || len(last) != 1 || last[0].Seq != at.Seq {
				t.Fatalf("core %d: log %d after %d: %v, %v", k, p, at.Seq-1, seqs(last), err)
			}
			if none, err := s.Read(t.Context(), p, at.Seq, 1<<20); len(none) != 0 || err != nil {
				t.Fatalf("core %d: log %d after its end: %v, %v", k, p, seqs(none), err)
			}
		}
	}
}

func conformOrder(t *testing.T, stores []*corelog.Store) {
	const channels, count = 8, 40
	each(stores, func(i int, s *corelog.Store) {
		each(slices.Repeat([]*corelog.Store{s}, channels), func(c int, s *corelog.Store) {
			ch := wire.Channel(fmt.Sprintf("room:order-%d-%d", i, c))
			for k := range count {
				if _, err := s.Publish(t.Context(), "key", post(ch, fmt.Sprint(k))); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	})
	for i := range stores {
		for c := range channels {
			ch := wire.Channel(fmt.Sprintf("room:order-%d-%d", i, c))
			frames, more, err := stores[(i+1)%len(stores)].ReadChannel(t.Context(), ch, 0, 0, 1000, 1<<20)
			if err != nil || more || len(frames) != count {
				t.Fatalf("%s: %d frames, more %v, err %v", ch, len(frames), more, err)
			}
			for k, f := range frames {
				if got := text(t, f.Body); got != fmt.Sprint(k) {
					t.Fatalf("%s: frame %d is %s", ch, k, got)
				}
			}
		}
	}
}

func conformIdempotency(t *testing.T, stores []*corelog.Store) {
	with := func(ch wire.Channel, text, id string) *wire.Post {
		p := post(ch, text)
		p.MsgID = id
		return p
	}
	do := func(s *corelog.Store, publisher string, p *wire.Post) corelog.Placed {
		t.Helper()
		placed, err := s.Publish(t.Context(), publisher, p)
		if err != nil {
			t.Fatal(err)
		}
		return placed
	}
	first := do(stores[0], "k1", with("room:once", "x", "id"))
	for i, s := range stores {
		if again := do(s, "k1", with("room:once", "x", "id")); again != (corelog.Placed{P: first.P, Seq: first.Seq, Duplicate: true}) {
			t.Errorf("core %d, repeated: %+v, first %+v", i, again, first)
		}
		if _, err := s.Publish(t.Context(), "k1", with("room:once", "z", "id")); !errors.Is(err, corelog.ErrIDReused) {
			t.Errorf("core %d, other content: %v", i, err)
		}
	}
	last := stores[len(stores)-1]
	if other := do(last, "k1", with("room:twice", "x", "id")); other.Duplicate {
		t.Error("the id counts in another channel")
	}
	if other := do(last, "k2", with("room:once", "y", "id")); other.Duplicate {
		t.Error("the id counts for another publisher")
	}
	// The same at the same time: one frame, whoever is first. A core may not know
	// yet, and says so.
	each(slices.Repeat(stores, 4), func(_ int, s *corelog.Store) {
		if _, err := s.Publish(t.Context(), "k1", with("room:race", "x", "id")); err != nil && !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("publish: %v", err)
		}
	})
	frames, _, err := last.ReadChannel(t.Context(), "room:race", 0, 0, 10, 1<<20)
	if err != nil || len(frames) != 1 {
		t.Errorf("%d frames of one id, %v", len(frames), err)
	}
}

// Whoever follows gets every frame once, in the order of the log, and nobody
// takes a follower's word for more than that.
func conformFollowers(t *testing.T, stores []*corelog.Store) {
	const ch = wire.Channel("room:followed")
	p := wire.LogOf(ch, stores[0].Logs())
	begin := publish(t, stores[0], post(ch, "begin")).Seq
	var early []<-chan corelog.Stored
	for _, s := range stores {
		early = append(early, follow(t, s, p, begin))
	}
	const count = 50
	each(stores, func(_ int, s *corelog.Store) {
		for i := range count {
			if _, err := s.Publish(t.Context(), "key", post(ch, fmt.Sprint(i))); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	end := begin + wire.Seq(count*len(stores))
	for i, s := range stores {
		for _, got := range []<-chan corelog.Stored{early[i], follow(t, s, p, begin)} {
			for want := begin + 1; want <= end; want++ {
				if st := receive(t, got); st.Seq != want {
					t.Fatalf("core %d: followed %d, want %d", i, st.Seq, want)
				}
			}
		}
		if s.End(p) != end {
			t.Errorf("core %d: the end is %d, want %d", i, s.End(p), end)
		}
		if s.Floor(p) != 0 {
			t.Errorf("core %d: the floor is %d", i, s.Floor(p))
		}
	}
}

func conformState(t *testing.T, stores []*corelog.Store) {
	first, last := stores[0], stores[len(stores)-1]
	begin := first.AppendState(t.Context(), []corelog.StateAppend{{Record: user("s.1", 1)}})[0]
	if begin.Err != nil {
		t.Fatal(begin.Err)
	}
	got := follow(t, last, wire.StateLog, begin.Seq)
	results := last.AppendState(t.Context(), []corelog.StateAppend{
		{Record: user("s.1", 2), Expect: begin.Seq + 9},
		{Record: user("s.1", 2)},
		{Record: user("s.2", 1), Expect: 4},
		{Record: user("s.1", 2), Expect: begin.Seq},
		{Record: wire.StateRecord{Kind: wire.StateMember, Room: "r*1x", User: "s.1", From: 7}},
	})
	for _, i := range []int{0, 1, 2} {
		if !errors.Is(results[i].Err, corelog.ErrConflict) {
			t.Errorf("append %d: %+v, want a conflict", i, results[i])
		}
	}
	for _, i := range []int{3, 4} {
		if results[i].Err != nil {
			t.Fatalf("append %d: %+v", i, results[i])
		}
		if st := receive(t, got); st.Seq != results[i].Seq || st.State.V != results[i].Seq {
			t.Errorf("followed %+v, want %d", st.State, results[i].Seq)
		}
	}
	if again := first.AppendState(t.Context(), []corelog.StateAppend{{Record: user("s.1", 3), Expect: begin.Seq}}); !errors.Is(again[0].Err, corelog.ErrConflict) {
		t.Errorf("what has changed meanwhile: %+v", again)
	}
	for i, s := range stores {
		read, err := s.Read(t.Context(), wire.StateLog, begin.Seq-1, 1<<20)
		if diff := cmp.Diff([]wire.Seq{results[3].Seq, results[4].Seq}, seqs(read)); diff != "" || err != nil {
			t.Errorf("core %d keeps: %v (-want +got):\n%s", i, err, diff)
		}
	}
}

// Many writers count one key up, each on the condition of what it has seen.
func conformUpdates(t *testing.T, stores []*corelog.Store) {
	const count = 20
	each(stores, func(_ int, s *corelog.Store) {
		for done := 0; done < count; {
			at, version, err := counted(t, s)
			if errors.Is(err, corelog.ErrUnavailable) && t.Context().Err() == nil {
				continue // a busy machine: nothing was written
			}
			if err != nil {
				t.Errorf("read: %v", err)
				return
			}
			switch res := s.AppendState(t.Context(), []corelog.StateAppend{{Record: user("counter", version+1), Expect: at}})[0]; {
			case res.Err == nil:
				done++
			case !errors.Is(res.Err, corelog.ErrConflict):
				t.Errorf("append: %v", res.Err)
				return
			}
		}
	})
	if _, version, err := counted(t, stores[0]); err != nil || version != uint64(count*len(stores)) {
		t.Errorf("%d updates count to %d, %v", count*len(stores), version, err)
	}
}

// counted reads the state log to its end, for the counter and where it stands.
func counted(t *testing.T, s *corelog.Store) (at wire.Seq, version uint64, err error) {
	for after := wire.Seq(0); ; {
		read, err := s.Read(t.Context(), wire.StateLog, after, 1<<20)
		if err != nil || len(read) == 0 {
			return at, version, err
		}
		for _, st := range read {
			if after = st.Seq; st.State.User == "counter" {
				at, version = st.Seq, st.State.Version
			}
		}
	}
}

func conformSizes(t *testing.T, stores []*corelog.Store) {
	last := stores[len(stores)-1]
	huge := post("room:big", strings.Repeat("x", wire.MaxData+64<<10))
	if _, err := last.Publish(t.Context(), "k1", huge); !errors.Is(err, corelog.ErrTooLarge) {
		t.Errorf("huge: %v", err)
	}
	largest := post("room:big", strings.Repeat("x", wire.MaxData-5))
	if err := largest.Check(); err != nil {
		t.Fatal(err)
	}
	for range wire.MaxRefs {
		largest.Refs = append(largest.Refs, strings.Repeat("u", wire.MaxID))
	}
	largest.MsgID = strings.Repeat("i", wire.MaxMsgID)
	p := wire.LogOf(largest.Ch, last.Logs())
	got := follow(t, last, p, last.End(p))
	for range 8 { // more than a request brings at once
		eventually(t, "a large frame is taken", func() bool { // with its id, so once
			_, err := stores[0].Publish(t.Context(), "k1", largest)
			if err != nil && !errors.Is(err, corelog.ErrUnavailable) {
				t.Fatal(err)
			}
			return err == nil
		})
		largest.MsgID = largest.MsgID[1:]
	}
	for range 8 {
		receive(t, got)
	}
	frames, more, err := last.ReadChannel(t.Context(), "room:big", 0, 0, 10, 64<<20)
	if err != nil || more || len(frames) != 8 {
		t.Errorf("%d large frames, more %v, %v", len(frames), more, err)
	}
}

// logged is a logger of the test's output, if somebody looks at it.
func logged(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
