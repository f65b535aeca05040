package directory_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"selvedge/core/directory"
	"selvedge/wire"
)

// late is another core's writer on the same log. Its view is behind: it applies
// nothing before somebody asks for the log's end.
func late(t *testing.T, r *rig) *directory.Writer {
	view := open(t, t.TempDir(), "e")
	var once sync.Once
	return &directory.Writer{
		View: view, Log: r.log, Logs: logs,
		// What this core knows by itself.
		End: func(p wire.LogID) wire.Seq {
			if p == wire.StateLog {
				return view.Applied()
			}
			return 0
		},
		Latest: func(_ context.Context, p wire.LogID) (wire.Seq, error) {
			once.Do(func() { t.Cleanup(r.log.follow(t, view)) })
			return r.log.End(p), nil
		},
	}
}

// A call that follows another one's at another core does not miss it.
func TestWritesFollowThoseOfOtherCores(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, w *directory.Writer) error{
		"leave": func(ctx context.Context, w *directory.Writer) error {
			done, err := w.Members(ctx, "r", directory.MembersChange{Remove: []wire.UserID{"u"}})
			if err == nil && done.Removed != 1 {
				err = fmt.Errorf("%+v", done)
			}
			return err
		},
		"replace": func(ctx context.Context, w *directory.Writer) error {
			done, err := w.Members(ctx, "r", directory.MembersChange{Replace: true})
			if err == nil && done.Removed != 1 {
				err = fmt.Errorf("%+v", done)
			}
			return err
		},
		"leave the user's rooms": func(ctx context.Context, w *directory.Writer) error {
			done, err := w.UserRooms(ctx, "u", directory.RoomsChange{Remove: []wire.RoomID{"r"}})
			if err == nil && done.Removed != 1 {
				err = fmt.Errorf("%+v", done)
			}
			return err
		},
		"delete the user": func(ctx context.Context, w *directory.Writer) error { return w.DeleteUser(ctx, "u") },
		"delete the room": func(ctx context.Context, w *directory.Writer) error { return w.DeleteRoom(ctx, "r") },
	} {
		t.Run(name, func(t *testing.T) {
			r, ctx := newRig(t), timeout(t)
			if _, err := r.PutRoom(ctx, "r", data(t, "{}"), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Members(ctx, "r", directory.MembersChange{Add: []wire.UserID{"u"}}); err != nil {
				t.Fatal(err)
			}
			if err := write(ctx, late(t, r)); err != nil {
				t.Fatal(err)
			}
			if err := r.view.WaitApplied(ctx, r.log.End(wire.StateLog)); err != nil {
				t.Fatal(err)
			}
			if left := members(t, r.view, "r"); len(left) != 0 {
				t.Errorf("%q are still members", left)
			}
		})
	}
}

// Many cores patch the same document at the same time, and no change is lost.
func TestPatchesOfSeveralCoresAllCount(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	if _, err := r.PutUser(ctx, "u", data(t, "{}"), nil); err != nil {
		t.Fatal(err)
	}
	writers := []*directory.Writer{r.Writer, late(t, r), late(t, r)}
	const count = 10
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			for k := range count {
				if _, err := w.PatchUser(ctx, "u", data(t, fmt.Sprintf(`{"k%d_%d":1}`, i, k)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, w := range writers {
		if err := w.View.WaitApplied(ctx, r.log.End(wire.StateLog)); err != nil {
			t.Fatal(err)
		}
		read(t, w.View, func(rd *directory.Reader) error {
			doc, _, err := rd.User("u")
			if want := uint64(1 + count*len(writers)); doc.Version != want {
				t.Errorf("version %d after %d changes", doc.Version, want)
			}
			return err
		})
	}
}

// A join at a core that has not followed the room's log begins at its real end.
func TestAJoinKnowsFramesOfOtherCores(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	if _, err := r.PutRoom(ctx, "r", data(t, "{}"), nil); err != nil {
		t.Fatal(err)
	}
	p := wire.LogOf(wire.RoomChannel("r"), logs)
	r.log.mu.Lock()
	r.log.ends[p] = 41
	r.log.mu.Unlock()
	w := late(t, r)
	latest, known := w.Latest, wire.Seq(0)
	w.Latest = func(ctx context.Context, at wire.LogID) (wire.Seq, error) {
		end, err := latest(ctx, at)
		if at == p {
			known = end
		}
		return end, err
	}
	state := w.End
	w.End = func(at wire.LogID) wire.Seq {
		if at == p {
			return known
		}
		return state(at)
	}
	if _, err := w.Members(ctx, "r", directory.MembersChange{Add: []wire.UserID{"u"}}); err != nil {
		t.Fatal(err)
	}
	read(t, w.View, func(rd *directory.Reader) error {
		m, ok, err := rd.Membership("r", "u")
		if !ok || m.From != 41 {
			t.Errorf("the membership begins at %d, want 41", m.From)
		}
		return err
	})
}
