package log_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/wire"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	corelog "selvedge/core/log"
)

// model is what a log is: a list, read the dumb way.
type model []modelFrame

type modelFrame struct {
	ch   wire.Channel
	seq  wire.Seq
	size int
}

func (m model) channel(ch wire.Channel, after, upto wire.Seq) []modelFrame {
	var out []modelFrame
	for _, f := range m {
		if f.ch == ch && f.seq > after && (upto == 0 || f.seq <= upto) {
			out = append(out, f)
		}
	}
	return out
}

// page takes frames as long as limits allow, one at least.
func page(frames []modelFrame, limit, maxBytes int) (out []wire.Seq, more bool) {
	out = []wire.Seq{}
	size := 0
	for _, f := range frames {
		size += f.size
		if len(out) == limit || len(out) > 0 && size > maxBytes {
			return out, true
		}
		out = append(out, f.seq)
	}
	return out, false
}

func TestReadsAgreeWithAList(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs = 1
	s := open(t, cfg)
	var m model
	// Channels from "every other frame" to "once", one of them only in the middle.
	names := []wire.Channel{"room:0", "room:1", "room:2", "room:3", "topic:4", "inbox:5"}
	for i := range 3000 {
		ch := names[0]
		for k, every := range []int{1, 3, 17, 211, 1501} {
			if i%every == every-1 {
				ch = names[k]
			}
		}
		if i > 1000 && i < 1100 {
			ch = names[5]
		}
		p := post(ch, strings.Repeat("x", i*7919%300))
		m = append(m, modelFrame{ch, publish(t, s, p).Seq, len(wire.AppendBody(nil, p))})
	}
	names = append(names, "room:none")
	rapid.Check(t, func(r *rapid.T) {
		ch := rapid.SampledFrom(names).Draw(r, "ch")
		a := wire.Seq(rapid.IntRange(0, 3100).Draw(r, "a"))
		b := wire.Seq(rapid.SampledFrom([]int{0, 1, 2, 900, 1050, 2999, 3000, 3001, rapid.IntRange(0, 3100).Draw(r, "any")}).Draw(r, "b"))
		limit := rapid.SampledFrom([]int{1, 2, 10, 100, 1000, 5000}).Draw(r, "limit")
		maxBytes := rapid.SampledFrom([]int{1, 1000, 30_000, 1 << 20}).Draw(r, "maxBytes")

		want, wantMore := page(m.channel(ch, a, b), limit, maxBytes)
		got, more, err := s.ReadChannel(t.Context(), ch, a, b, limit, maxBytes)
		if diff := cmp.Diff(want, seqs(got)); diff != "" || err != nil || more != wantMore {
			r.Fatalf("ReadChannel(%s, %d, %d, %d, %d): more %v, want %v, err %v (-want +got):\n%s", ch, a, b, limit, maxBytes, more, wantMore, err, diff)
		}

		var below []modelFrame
		if b != 1 {
			below = m.channel(ch, 0, max(b, 1)-1)
		}
		slices.Reverse(below)
		want, wantMore = page(below, limit, maxBytes)
		slices.Reverse(want)
		got, more, err = s.ReadBefore(t.Context(), ch, b, limit, maxBytes)
		if diff := cmp.Diff(want, seqs(got)); diff != "" || err != nil || more != wantMore {
			r.Fatalf("ReadBefore(%s, %d, %d, %d): more %v, want %v, err %v (-want +got):\n%s", ch, b, limit, maxBytes, more, wantMore, err, diff)
		}
	})
}

func TestTrimmedFramesRaiseTheFloor(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs, cfg.MaxBytes = 1, 64<<10
	s := open(t, cfg)
	if s.Floor(0) != 0 || s.Floor(wire.StateLog) != 0 {
		t.Fatal("new logs have a floor")
	}
	got := follow(t, s, 0, 0)
	publish(t, s, post("room:old", "x"))
	for range 200 {
		publish(t, s, post("room:a", strings.Repeat("x", 1000)))
	}
	floor := s.Floor(0)
	if floor < 100 || floor > 180 {
		t.Fatalf("floor is %d after 201 frames of 1 KiB in 64 KiB", floor)
	}
	read, err := s.Read(t.Context(), 0, 0, 1<<20)
	if err != nil || len(read) == 0 || read[0].Seq != floor+1 {
		t.Errorf("read from the start: %v, err %v, floor %d", seqs(read), err, floor)
	}
	frames, more, err := s.ReadChannel(t.Context(), "room:a", 0, 0, 1000, 1<<20)
	if err != nil || more || wire.Seq(len(frames)) != 201-floor {
		t.Errorf("read the channel: %d frames, more %v, err %v, floor %d", len(frames), more, err, floor)
	}
	if frames, more, err = s.ReadBefore(t.Context(), "room:old", 0, 10, 1<<20); len(frames) != 0 || more || err != nil {
		t.Errorf("read what is gone: %v %v %v", frames, more, err)
	}
	for at := wire.Seq(0); at < 201; { // it may have been too slow for some, and then jumps
		st := receive(t, got)
		if st.Seq <= at || st.Seq > 201 {
			t.Fatalf("followed %d after %d", st.Seq, at)
		}
		at = st.Seq
	}
	if st := receive(t, follow(t, s, 0, 5)); st.Seq != floor+1 {
		t.Errorf("a late follower starts at %d, floor %d", st.Seq, floor)
	}
}

func TestFollowResumes(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs = 1
	s := open(t, cfg)
	const n = 2000
	for i := range n {
		switch { // so that the bytes of a pull end before its records, and vice versa
		case i%500 == 0:
			publish(t, s, post("room:a", strings.Repeat("x", wire.MaxData-10)))
		case i < 1000:
			publish(t, s, post("room:a", strings.Repeat("x", 15_000)))
		default:
			publish(t, s, post("room:a", fmt.Sprint(i)))
		}
	}
	for _, after := range []wire.Seq{0, 1, 900, n - 1} {
		got := follow(t, s, 0, after)
		for want := after + 1; want <= n; want++ {
			if st := receive(t, got); st.Seq != want {
				t.Fatalf("after %d: followed %d, want %d", after, st.Seq, want)
			}
		}
	}
	got := follow(t, s, 0, n)
	publish(t, s, post("room:a", "next"))
	if st := receive(t, got); st.Seq != n+1 || text(t, st.Body) != "next" {
		t.Errorf("followed %d", st.Seq)
	}
	stop := errors.New("enough")
	if err := s.Follow(t.Context(), 0, 0, func([]corelog.Stored) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("fn's error comes back as %v", err)
	}
}

func TestOldFramesRaiseTheFloor(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs, cfg.MaxAge = 1, 300*time.Millisecond
	s := open(t, cfg)
	for range 3 {
		publish(t, s, post("room:a", "x"))
	}
	eventually(t, "the log is empty", func() bool { return s.Floor(0) == 3 })
	if frames, more, err := s.ReadBefore(t.Context(), "room:a", 0, 10, 1<<20); len(frames) != 0 || more || err != nil {
		t.Errorf("read before: %v %v %v", frames, more, err)
	}
	if s.End(0) != 3 {
		t.Errorf("end is %d", s.End(0))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = open(t, cfg); s.End(0) != 3 || s.Floor(0) != 3 {
		t.Errorf("opened again: end %d, floor %d", s.End(0), s.Floor(0))
	}
}
