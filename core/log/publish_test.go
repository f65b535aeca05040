package log_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"selvedge/wire"

	"github.com/google/go-cmp/cmp"

	corelog "selvedge/core/log"
)

func TestPublishedFramesComeBack(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	const ch = wire.Channel("room:a.b*c>d é")
	p := wire.LogOf(ch, s.Logs())
	got := follow(t, s, p, 0)
	for i := range 20 {
		want := post(ch, fmt.Sprint("n", i))
		want.From, want.Refs, want.MsgID = "u1", []string{"u2"}, fmt.Sprint("id", i)
		placed := publish(t, s, want)
		if diff := cmp.Diff(corelog.Placed{P: p, Seq: wire.Seq(i + 1)}, placed); diff != "" {
			t.Fatalf("placed (-want +got):\n%s", diff)
		}
		st := receive(t, got)
		back, err := wire.ParseBody(st.Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*want, back); diff != "" || st.Seq != placed.Seq {
			t.Fatalf("followed at %d (-want +got):\n%s", st.Seq, diff)
		}
	}
	if end := s.End(p); end != 20 {
		t.Errorf("end is %d, want 20", end)
	}
	read, err := s.Read(t.Context(), p, 17, 1<<20)
	if diff := cmp.Diff([]wire.Seq{18, 19, 20}, seqs(read)); diff != "" || err != nil {
		t.Errorf("read after 17: %v (-want +got):\n%s", err, diff)
	}
	if read, err = s.Read(t.Context(), p, 20, 1<<20); len(read) != 0 || err != nil {
		t.Errorf("read at the end: %v, %v", read, err)
	}
	if read, err = s.Read(t.Context(), p, 0, 1); len(read) != 1 || err != nil {
		t.Errorf("read of one byte: %d records, %v", len(read), err)
	}
}

func TestOrderIsTheCallersPerChannel(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	const channels, each = 32, 100
	var wg sync.WaitGroup
	for c := range channels {
		wg.Go(func() {
			ch := wire.Channel(fmt.Sprint("room:", c))
			for i := range each {
				if _, err := s.Publish(t.Context(), "key", post(ch, fmt.Sprint(i))); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for c := range channels {
		ch := wire.Channel(fmt.Sprint("room:", c))
		frames, more, err := s.ReadChannel(t.Context(), ch, 0, 0, 1000, 1<<20)
		if err != nil || more || len(frames) != each {
			t.Fatalf("%s: %d frames, more %v, err %v", ch, len(frames), more, err)
		}
		for i, f := range frames {
			if got := text(t, f.Body); got != fmt.Sprint(i) {
				t.Fatalf("%s: frame %d is %s", ch, i, got)
			}
		}
	}
}

func TestIdempotencyIsScoped(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	with := func(ch wire.Channel, text, id string, ts int64) *wire.Post {
		p := post(ch, text)
		p.MsgID, p.TS = id, ts
		return p
	}
	do := func(publisher string, p *wire.Post) corelog.Placed {
		t.Helper()
		placed, err := s.Publish(t.Context(), publisher, p)
		if err != nil {
			t.Fatal(err)
		}
		return placed
	}
	first := do("k1", with("room:a", "x", "id", 1))
	if again := do("k1", with("room:a", "x", "id", 2)); again != (corelog.Placed{P: first.P, Seq: first.Seq, Duplicate: true}) {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	if other := do("k1", with("room:b", "x", "id", 1)); other.Duplicate {
		t.Error("the id counts in another channel")
	}
	if other := do("k2", with("room:a", "y", "id", 1)); other.Duplicate {
		t.Error("the id counts for another publisher")
	}
	if _, err := s.Publish(t.Context(), "k1", with("room:a", "z", "id", 1)); !errors.Is(err, corelog.ErrIDReused) {
		t.Errorf("other content: %v", err)
	}
	if a, b := do("k1", post("room:a", "x")), do("k1", post("room:a", "x")); a == b {
		t.Error("posts without an id are taken for duplicates")
	}
	huge := post("room:a", strings.Repeat("x", wire.MaxData+64<<10))
	if _, err := s.Publish(t.Context(), "k1", huge); !errors.Is(err, corelog.ErrTooLarge) {
		t.Errorf("huge: %v", err)
	}
	largest := post("room:a", strings.Repeat("x", wire.MaxData-5))
	if err := largest.Check(); err != nil {
		t.Fatal(err)
	}
	for range wire.MaxRefs {
		largest.Refs = append(largest.Refs, strings.Repeat("u", wire.MaxID))
	}
	largest.MsgID = strings.Repeat("i", wire.MaxMsgID)
	do("k1", largest)
}
