package directory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	"selvedge/wire"
)

// dump is all that a view says about the ids, as one comparable value.
func dump(t testing.TB, view *directory.View, ids ...string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	read(t, view, func(r *directory.Reader) error {
		all["applied"] = r.Applied()
		for _, id := range ids {
			user, isUser, err1 := r.User(wire.UserID(id))
			room, isRoom, err2 := r.Room(wire.RoomID(id))
			in, _, err3 := r.Members(wire.RoomID(id), "", wire.MaxPage)
			joined, _, err4 := r.RoomsOf(wire.UserID(id), "", wire.MaxPage)
			if err := errors.Join(err1, err2, err3, err4); err != nil {
				return err
			}
			all[id] = []any{user, isUser, room, isRoom, in, joined}
		}
		users, _, err1 := r.Users("", wire.MaxPage)
		rooms, _, err2 := r.Rooms("", wire.MaxPage)
		all["users"], all["rooms"] = users, rooms
		return errors.Join(err1, err2)
	})
	return all
}

// history is a log in which everything happens a few times.
func history(n int) []wire.StateRecord {
	ids := []string{"a", "b", "a b", "c", "\u00ff"}
	records := make([]wire.StateRecord, n)
	for i := range records {
		r := wire.StateRecord{V: wire.Seq(i + 1), Deleted: i%3 == 2, Kind: wire.StateMember, Room: wire.RoomID(ids[i%5]), User: wire.UserID(ids[i/5%5]), From: wire.Seq(i)}
		switch i % 7 {
		case 0:
			r = wire.StateRecord{V: r.V, Kind: wire.StateUser, User: r.User, Deleted: r.Deleted}
		case 1:
			r = wire.StateRecord{V: r.V, Kind: wire.StateRoom, Room: r.Room, Deleted: r.Deleted}
		}
		if r.Kind != wire.StateMember && !r.Deleted {
			r.Version, r.Data = uint64(i), wire.Data{0x81, 0xa1, 'n', byte(i % 100)}
		}
		records[i] = r
	}
	return records
}

func historyIDs() []string { return []string{"a", "b", "a b", "c", "\u00ff"} }

// However the log is cut into batches, and whatever is repeated, the view is the same.
func TestApplyInAnyPortions(t *testing.T) {
	records := history(3000)
	whole := open(t, t.TempDir(), "e")
	if err := whole.Apply(records); err != nil {
		t.Fatal(err)
	}
	parts := open(t, t.TempDir(), "e")
	for start := 0; start < len(records); start += 7 {
		if err := parts.Apply(records[max(0, start-3):min(len(records), start+7)]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(dump(t, whole, historyIDs()...), dump(t, parts, historyIDs()...)); diff != "" {
		t.Errorf("whole and in parts:\n%s", diff)
	}
}

// The log keeps the last record of each key only. A view rebuilt from those is
// the view that saw them all.
func TestRebuiltFromACompactedLog(t *testing.T) {
	records := history(3000)
	last := make(map[string]wire.Seq)
	for _, r := range records {
		last[r.Key()] = r.V
	}
	var kept []wire.StateRecord
	for _, r := range records {
		if last[r.Key()] == r.V {
			kept = append(kept, r)
		}
	}
	all, rebuilt := open(t, t.TempDir(), "e"), open(t, t.TempDir(), "e")
	if err := errors.Join(all.Apply(records), rebuilt.Apply(kept)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dump(t, all, historyIDs()...), dump(t, rebuilt, historyIDs()...)); diff != "" {
		t.Errorf("all and rebuilt:\n%s", diff)
	}
}

func TestResumesFromItsNumber(t *testing.T) {
	dir, records := t.TempDir(), history(1000)
	view := open(t, dir, "e")
	if err := view.Apply(records[:600]); err != nil {
		t.Fatal(err)
	}
	before := dump(t, view, historyIDs()...)
	// What comes again is passed over: reads never go back.
	if err := view.Apply(records[:10]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, view, historyIDs()...)); diff != "" || view.Applied() != 600 {
		t.Errorf("after a repetition, applied %d:\n%s", view.Applied(), diff)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, "e")
	if again.Applied() != 600 {
		t.Fatalf("resumes from %d", again.Applied())
	}
	if diff := cmp.Diff(before, dump(t, again, historyIDs()...)); diff != "" {
		t.Errorf("before and after the restart:\n%s", diff)
	}
}

// After a kill the view may have lost its end, but what it has is a state that
// it once had: with the rest of the log it becomes the same again.
func TestAKilledViewIsAPrefix(t *testing.T) {
	dir, killed := t.TempDir(), t.TempDir()
	view := open(t, dir, "e")
	// 24 MB: part of it is on disk, part in memory only.
	big := wire.Data(append([]byte{0x81, 0xa1, 'x', 0xdb, 0, 0, 0x20, 0}, make([]byte, 8192)...))
	var records []wire.StateRecord
	for i := range 3000 {
		records = append(records, wire.StateRecord{V: wire.Seq(i + 1), Kind: wire.StateUser, User: wire.UserID(fmt.Sprintf("u%d", i%500)), Data: big})
	}
	if err := view.Apply(records); err != nil {
		t.Fatal(err)
	}
	// What the disk shows while the store works is what a kill leaves. A file
	// that the store replaces while it is being copied means: look again.
	err := os.CopyFS(killed, os.DirFS(dir))
	for tries := 0; errors.Is(err, fs.ErrNotExist) && tries < 100; tries++ {
		killed = t.TempDir()
		err = os.CopyFS(killed, os.DirFS(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, killed, "e")
	at := again.Applied()
	if err := again.Apply(records[at:]); err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b wire.Data) bool { return bytes.Equal(a, b) }) // they are large
	if diff := cmp.Diff(dump(t, view), dump(t, again), same); diff != "" {
		t.Errorf("resumed from %d:\n%s", at, diff)
	}
}

func TestAnotherEpochStartsFromZero(t *testing.T) {
	dir := t.TempDir()
	view := open(t, dir, "one")
	if err := view.Apply(history(100)); err != nil {
		t.Fatal(err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir, "two")
	empty := open(t, t.TempDir(), "two")
	if diff := cmp.Diff(dump(t, empty, historyIDs()...), dump(t, other, historyIDs()...)); diff != "" {
		t.Errorf("a new epoch is not empty:\n%s", diff)
	}
}

func TestADamagedFolderIsRebuilt(t *testing.T) {
	for _, pattern := range []string{"*.sst", "MANIFEST-*", "OPTIONS-*", "marker.*"} {
		for _, how := range []string{"removed", "garbage", "empty"} {
			t.Run(how+" "+pattern, func(t *testing.T) {
				dir := t.TempDir()
				view := open(t, dir, "e")
				if err := errors.Join(view.Apply(history(500)), view.Close()); err != nil {
					t.Fatal(err)
				}
				files, err := filepath.Glob(filepath.Join(dir, pattern))
				if err != nil || len(files) == 0 {
					t.Fatalf("no %s: %v", pattern, err)
				}
				for _, f := range files {
					damage(t, f, how)
				}
				again := open(t, dir, "e")
				if err := again.Apply(history(500)[again.Applied():]); err != nil {
					t.Fatal(err)
				}
				whole := open(t, t.TempDir(), "e")
				if err := whole.Apply(history(500)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(dump(t, whole, historyIDs()...), dump(t, again, historyIDs()...)); diff != "" {
					t.Errorf("rebuilt:\n%s", diff)
				}
			})
		}
	}
}

func damage(t *testing.T, file, how string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "removed":
		err = os.Remove(file)
	case "garbage":
		err = os.WriteFile(file, []byte(strings.Repeat("?", int(info.Size()))), 0o600)
	case "empty":
		err = os.Truncate(file, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCantBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, filepath.Join(dir, "view"), "e")
	for _, path := range []string{file, filepath.Join(dir, "view")} {
		_, err := directory.Open(directory.Config{Dir: path, Epoch: "e", Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("open %s: %v", path, err)
		}
	}
}

func TestABrokenOrderIsAnError(t *testing.T) {
	view := open(t, t.TempDir(), "e")
	records := history(10)
	records[4].V = records[2].V
	if err := view.Apply(records); err == nil {
		t.Error("applied")
	}
	if view.Applied() != 0 {
		t.Errorf("applied %d", view.Applied())
	}
}

func TestWaitApplied(t *testing.T) {
	view := open(t, t.TempDir(), "e")
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() { errs <- view.WaitApplied(ctx, 5) }()
	if err := view.Apply(history(5)); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Error(err)
	}
	go func() { errs <- view.WaitApplied(ctx, 6) }()
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() { errs <- view.WaitApplied(t.Context(), 6) }()
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, directory.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := view.Read(func(*directory.Reader) error { return nil }); !errors.Is(err, directory.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := view.Apply(nil); !errors.Is(err, directory.ErrClosed) {
		t.Errorf("apply: %v", err)
	}
}
