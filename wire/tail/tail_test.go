package tail

import (
	"errors"
	"fmt"
	"testing"

	"selvedge/wire"
)

func frame(s wire.Seq) Record {
	return Record{Seq: s, Kind: Frame, Keys: [2]wire.Key{wire.Key(s)}, Bytes: make([]byte, 28)}
}
func mark(s wire.Seq) Record { return Record{Seq: s, Kind: Watermark} }

func read(t *testing.T, f *Follower, limit int) string {
	t.Helper()
	got, err := f.Read(nil, limit, 1<<20)
	if err != nil {
		return err.Error()
	}
	var s string
	for _, r := range got {
		s += fmt.Sprintf("%d:%d ", r.Kind, r.Seq)
	}
	return s
}

func TestReadersGoAtTheirOwnPace(t *testing.T) {
	tl := New(1<<20, 10)
	a, b := tl.Follow(10), tl.Follow(12)
	tl.Append(frame(11), frame(13), mark(13), frame(14))
	for _, step := range []struct {
		f     *Follower
		limit int
		want  string
	}{
		{a, 2, "1:11 1:13 "}, {b, 9, "1:13 3:13 1:14 "}, {a, 1, "3:13 "}, {a, 9, "1:14 "}, {a, 9, ""},
	} {
		if got := read(t, step.f, step.limit); got != step.want {
			t.Errorf("read %q, want %q", got, step.want)
		}
	}
	tl.Append(mark(14), frame(12), mark(14)) // the repeated record is skipped
	if got, want := read(t, a, 9), "3:14 3:14 "; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	if a.Pos() != 14 || tl.End() != 14 {
		t.Errorf("pos %d, end %d, want 14", a.Pos(), tl.End())
	}
}

func TestFallingBehindIsSaidAndSeekGoesOn(t *testing.T) {
	tl := New(1000, 0) // holds ten frames of 100 bytes
	f := tl.Follow(0)
	for s := wire.Seq(1); s <= 5000; s++ {
		tl.Append(frame(s))
	}
	if _, err := f.Read(nil, 1, 1); !errors.Is(err, ErrFellBehind) {
		t.Fatalf("read %v, want ErrFellBehind", err)
	}
	if tl.Bytes() > 1000 || tl.Base() != 4990 {
		t.Errorf("%d bytes held after %d, want at most 1000 after 4990", tl.Bytes(), tl.Base())
	}
	f.Seek(4990)
	if got := read(t, f, 2); got != "1:4991 1:4992 " {
		t.Errorf("read %q after seek", got)
	}
}

// A reader of a quiet log never misses the newest watermark, also when older
// ones were trimmed before it read them.
func TestTrimmedWatermarks(t *testing.T) {
	tl := New(1000, 7)
	f := tl.Follow(7)
	if got := read(t, f, 9); got != "" {
		t.Fatalf("read %q of an empty tail", got)
	}
	for range 5000 {
		tl.Append(mark(7))
	}
	got, err := f.Read(nil, 9999, 1)
	if err != nil || len(got) == 0 {
		t.Fatalf("read %d records, %v", len(got), err)
	}
	tl.Append(mark(7))
	if got := read(t, f, 9); got != "3:7 " {
		t.Errorf("read %q, want the one new watermark", got)
	}
}

func TestResetWakesAndTellsReaders(t *testing.T) {
	tl := New(1000, 0)
	f := tl.Follow(0)
	tl.Append(frame(1))
	_ = read(t, f, 9)
	<-f.C()
	tl.Reset(9)
	select {
	case <-f.C():
	default:
		t.Error("reset woke nobody")
	}
	if got := read(t, f, 9); got != ErrFellBehind.Error() {
		t.Errorf("read %q, want %q", got, ErrFellBehind)
	}
	f.Stop()
	tl.Append(frame(10))
	select {
	case <-f.C():
		t.Error("a stopped follower was woken")
	default:
	}
}

func BenchmarkRead(b *testing.B) {
	tl := New(64<<20, 0)
	for s := wire.Seq(1); s <= 10000; s++ {
		tl.Append(frame(s))
	}
	var buf []Record
	b.ReportAllocs()
	for b.Loop() {
		f := tl.Follow(0)
		for n := 0; n < 10000; n += len(buf) {
			buf, _ = f.Read(buf[:0], 256, 1<<20)
		}
		f.Stop()
	}
}
