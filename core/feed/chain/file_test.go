package chain

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// kept is a folder with the chain of n frames of some channels.
func kept(t *testing.T, n wire.Seq) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c := Open(Config{Dir: dir, Epoch: "epoch", P: 3})
	for s := wire.Seq(1); s <= n; s++ {
		c.Add(wire.Key(s%7)<<60, s, int64(s))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func reopen(t *testing.T, cfg Config) *Chain {
	t.Helper()
	c := Open(cfg)
	t.Cleanup(func() { _ = c.pages.close() })
	return c
}

// A snapshot that is cut anywhere, or has a wrong bit anywhere, is not believed.
func TestDamagedSnapshotsAreFound(t *testing.T) {
	dir := kept(t, 20)
	path := filepath.Join(dir, "03.last")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, entries, err := parse(whole); err != nil || s != (snapshot{"epoch", 3, 20, 0}) || len(entries) != 7*entryBytes {
		t.Fatalf("%+v, %d bytes of entries, %v", s, len(entries), err)
	}
	for n := range whole {
		if _, _, err := parse(whole[:n]); !errors.Is(err, errDamaged) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[n] ^= 1 << bit
			if _, _, err := parse(b); !errors.Is(err, errDamaged) {
				t.Fatalf("bit %d of byte %d is wrong: %v", bit, n, err)
			}
		}
	}
	var said bytes.Buffer
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	c := reopen(t, Config{Dir: dir, Epoch: "epoch", P: 3, Floor: 4, End: 20, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if c.Pos() != 4 || c.Channels() != 0 || !c.Moved(1, 3) || c.Moved(1, 4) {
		t.Errorf("a damaged snapshot leads to position %d with %d channels", c.Pos(), c.Channels())
	}
	if !strings.Contains(said.String(), "it is damaged") || !strings.Contains(said.String(), "frames=16") {
		t.Errorf("it says %s", said.String())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("pages of before are left: %v, %v", entries, err)
	}
}

// What belongs to another epoch, or to logs that were longer, is of no use.
func TestForeignSnapshotsAreNotTaken(t *testing.T) {
	for name, cfg := range map[string]Config{
		"another epoch":    {Epoch: "other", P: 3, End: 20},
		"a shorter log":    {Epoch: "epoch", P: 3, End: 19},
		"another log's":    {Epoch: "epoch", P: 4, End: 20},
		"the same, no end": {Epoch: "epoch", P: 3},
	} {
		cfg.Dir = kept(t, 20)
		if cfg.P == 4 {
			for _, ext := range []string{".last", "-000000.prev"} {
				if err := os.Rename(filepath.Join(cfg.Dir, "03"+ext), filepath.Join(cfg.Dir, "04"+ext)); err != nil {
					t.Fatal(err)
				}
			}
		}
		c := reopen(t, cfg)
		if c.Pos() != 0 || c.Channels() != 0 {
			t.Errorf("%s: begins at %d with %d channels", name, c.Pos(), c.Channels())
		}
		c.Add(1, 1, 1)
		if prev, ok := c.Reader().Prev(1); !ok || prev != 0 {
			t.Errorf("%s: prev of 1 is %d, %v", name, prev, ok)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	c := reopen(t, Config{Dir: kept(t, 20), Epoch: "epoch", P: 3, End: 20})
	if c.Pos() != 20 || c.Channels() != 7 || c.Last(1<<60) != (Last{15, 15}) {
		t.Errorf("its own: begins at %d with %d channels, one at %v", c.Pos(), c.Channels(), c.Last(1<<60))
	}
}

// A page of which any bit is wrong, that is cut, of another epoch, or in another
// one's place, is not known; it never tells a wrong prev.
func TestDamagedPagesAreNotKnown(t *testing.T) {
	const n = 3*pageLen + 100
	dir := kept(t, n)
	path := filepath.Join(dir, "03-000000.prev")
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 4*pageBytes {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	known := func(what string, b []byte, epoch string) (pages int) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c := &Chain{pos: n, written: n, pages: newPages(dir, epoch, 3)}
		r := c.Reader()
		for s := wire.Seq(1); s <= n; s++ {
			prev, ok := r.Prev(s)
			if want := s - min(s, 7); ok && prev != want {
				t.Fatalf("%s: prev of %d is %d, want %d", what, s, prev, want)
			}
			if ok && s%pageLen == 50 {
				pages++
			}
		}
		if err := c.pages.close(); err != nil {
			t.Fatal(err)
		}
		return pages
	}
	if got := known("as it was", whole, "epoch"); got != 4 {
		t.Errorf("%d pages are known, want 4", got)
	}
	if got := known("as it was", whole, "other"); got != 0 {
		t.Errorf("%d pages are known in another epoch", got)
	}
	for at := pageBytes; at < 2*pageBytes; at += 61 {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if got := known(fmt.Sprint("byte ", at), b, "epoch"); got != 3 {
			t.Errorf("with byte %d damaged, %d pages are known, want 3", at, got)
		}
	}
	for _, size := range []int{0, 1, pageBytes - 1, pageBytes, 2*pageBytes + 77} {
		if got := known(fmt.Sprint("cut to ", size), whole[:size], "epoch"); got != size/pageBytes {
			t.Errorf("cut to %d bytes, %d pages are known", size, got)
		}
	}
	swapped := append(bytes.Clone(whole[pageBytes:2*pageBytes]), whole[:pageBytes]...)
	if got := known("swapped", swapped, "epoch"); got != 0 {
		t.Errorf("%d pages are known in each other's place", got)
	}
}

// Segments go when their frames are gone, but for one.
func TestTrimmedSegmentsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s := newPages(dir, "e", 3)
	other := newPages(dir, "e", 13)
	for segment := range uint64(4) {
		if err := errors.Join(s.write(segment*segmentPages, make([]uint64, 1)), other.write(segment*segmentPages, make([]uint64, 1))); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		floor wire.Seq
		want  int
	}{{0, 4}, {2*segmentLen - 1, 4}, {2 * segmentLen, 3}, {3*segmentLen + 5, 2}, {1 << 50, 0}} {
		if err := s.trim(step.floor); err != nil {
			t.Fatal(err)
		}
		names, err := filepath.Glob(filepath.Join(dir, "03-*.prev"))
		if err != nil || len(names) != step.want {
			t.Errorf("trimmed to %d: %v, want %d", step.floor, names, step.want)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "13-*.prev")); len(names) != 4 {
		t.Errorf("of another log %v are left", names)
	}
	if err := errors.Join(s.close(), other.close()); err != nil {
		t.Fatal(err)
	}
}

// A snapshot is of one moment, whatever is added while it is written.
func TestSavingWhileAdding(t *testing.T) {
	dir := t.TempDir()
	key := func(s wire.Seq) wire.Key { return wire.Key(s*s%977) * 0x9e3779b97f4a7c15 }
	c := Open(Config{Dir: dir, Epoch: "e"})
	const n = 40_000
	saved := make(chan error)
	for s := wire.Seq(1); s <= n; s++ {
		c.Add(key(s), s, int64(s))
		if s%(n/8) == n/16 {
			go func() { saved <- c.Save() }()
		}
		if s%(n/8) != 0 {
			continue
		}
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
		again := Open(Config{Dir: dir, Epoch: "e", End: n})
		last := map[wire.Key]wire.Seq{}
		r := again.Reader()
		for s := wire.Seq(1); s <= again.Pos(); s++ {
			if prev, ok := r.Prev(s); !ok || prev != last[key(s)] {
				t.Fatalf("saved up to %d: prev of %d is %d, %v; want %d", again.Pos(), s, prev, ok, last[key(s)])
			}
			last[key(s)] = s
		}
		if again.Pos() < s-n/16 || again.Channels() != len(last) {
			t.Fatalf("at %d, a save of about %d has %d channels, want %d", s, again.Pos(), again.Channels(), len(last))
		}
		for k, seq := range last {
			if got := again.Last(k); got.Seq != seq || got.TS != int64(seq) {
				t.Fatalf("saved up to %d, a channel ends at %d, want %d", again.Pos(), got.Seq, seq)
			}
		}
		if err := again.pages.close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A folder that can't be used keeps nothing and hinders nothing; one that can't
// be written to any more leaves what it had.
func TestFoldersThatFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", filepath.Join(file, "below")} {
		c := Open(Config{Dir: dir, Epoch: "e", End: 1})
		c.Add(1, 1, 1)
		c.Add(1, 2, 1)
		if prev, ok := c.Reader().Prev(2); !ok || prev != 1 || c.Due(time.Now().Add(time.Hour)) {
			t.Errorf("folder %q: prev %d, %v; or there is something to save", dir, prev, ok)
		}
		if err := errors.Join(c.Trim(1), c.Save(), c.Close()); err != nil {
			t.Errorf("folder %q: %v", dir, err)
		}
	}
	dir := kept(t, 20)
	c := reopen(t, Config{Dir: dir, Epoch: "epoch", P: 3, End: 20})
	if err := os.Mkdir(filepath.Join(dir, "03.last.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Add(1, 21, 1)
	if err := c.Close(); err == nil {
		t.Error("saved where nothing can be")
	}
	if c := reopen(t, Config{Dir: dir, Epoch: "epoch", P: 3, End: 21}); c.Pos() != 20 {
		t.Errorf("then it begins at %d, want 20", c.Pos())
	}
}

// Saving comes soon after much has come, some time after a little, and at rest
// not at all.
func TestWhenToSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Open(Config{Dir: t.TempDir(), Epoch: "e"})
		add := func(n int) {
			for range n {
				c.Add(1, c.Pos()+1, 1)
			}
		}
		due := func(what string, want bool) {
			t.Helper()
			if got := c.Due(time.Now()); got != want {
				t.Errorf("%s: due %v", what, got)
			}
		}
		time.Sleep(time.Hour)
		due("nothing came", false)
		add(1)
		due("a frame after an hour", true)
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
		due("after a save", false)
		add(1)
		time.Sleep(savePeriod - time.Second)
		due("within the period", false)
		time.Sleep(time.Second)
		due("after the period", true)
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
		add(saveFrames)
		due("after many", true)
		c.took = time.Second
		due("right after a long save", false)
		time.Sleep(saveShare * time.Second)
		due("some time after a long save", true)
		c.failed = true
		due("after a save that failed", false)
		time.Sleep(savePeriod)
		due("some time after it", true)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
