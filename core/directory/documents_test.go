package directory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

func TestVersionsGuardAgainstLateWriters(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	one, other := data(t, `{"name":"one"}`), data(t, `{"name":"other"}`)
	for i, step := range []struct {
		data    wire.Data
		version *uint64
		want    uint64
		created bool
		err     error
	}{
		{one, nil, 1, true, nil},
		{other, nil, 2, false, nil},
		{one, new(uint64(10)), 10, false, nil},
		{other, new(uint64(9)), 0, false, directory.ErrVersion},
		{one, new(uint64(9)), 0, false, directory.ErrVersion}, // older is older, whatever it says
		{one, new(uint64(10)), 10, false, nil},                // a retry
		{other, new(uint64(10)), 0, false, directory.ErrVersion},
		{other, nil, 11, false, nil},
		{data(t, `[1]`), nil, 0, false, directory.ErrNotObject},
	} {
		got, err := r.PutUser(ctx, "u", step.data, step.version)
		if !errors.Is(err, step.err) || got.Version != step.want || got.Created != step.created {
			t.Errorf("step %d: got version %d, created %t, %v", i, got.Version, got.Created, err)
		}
	}
	if n := r.log.End(wire.StateLog); n != 4 {
		t.Errorf("the log has %d records: a retry must not write one", n)
	}
	// What was deleted is not brought back by a late writer.
	if err := r.DeleteUser(ctx, "u"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutUser(ctx, "u", other, new(uint64(11))); !errors.Is(err, directory.ErrVersion) {
		t.Errorf("put of a deleted version: %v", err)
	}
	got, err := r.PutUser(ctx, "u", one, nil)
	if err != nil || got.Version != 12 || !got.Created {
		t.Errorf("put after delete: %+v, %v", got, err)
	}
}

func TestEqualVersionWithOtherKeyOrderIsARetry(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	// {"b":1,"a":2} as a msgpack writer may send it, and sorted.
	unsorted := wire.Data{0x82, 0xa1, 'b', 1, 0xa1, 'a', 2}
	if _, err := r.PutRoom(ctx, "x", unsorted, new(uint64(3))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutRoom(ctx, "x", data(t, `{"a":2,"b":1}`), new(uint64(3))); err != nil {
		t.Error(err)
	}
}

func TestReadsAfterAWriteSeeIt(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	for i := range 50 {
		w, err := r.PutRoom(ctx, "x", data(t, fmt.Sprintf(`{"n":%d}`, i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		read(t, r.view, func(rd *directory.Reader) error {
			doc, ok, err := rd.Room("x")
			if diff := cmp.Diff(w.Doc, doc.Doc); diff != "" || !ok {
				t.Errorf("written and read (-want +got):\n%s", diff)
			}
			if rd.Applied() < w.V {
				t.Errorf("applied %d, written %d", rd.Applied(), w.V)
			}
			return err
		})
	}
}

func TestPatch(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	if _, err := r.PatchUser(ctx, "u", data(t, `{"a":1}`), nil); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("patch of nothing: %v", err)
	}
	if _, err := r.PutUser(ctx, "u", data(t, `{"a":"b","c":{"d":"e","f":1.5},"n":9007199254740993}`), nil); err != nil {
		t.Fatal(err)
	}
	got, err := r.PatchUser(ctx, "u", data(t, `{"a":null,"c":{"f":null,"g":[1,null]},"h":{"i":null}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"c":{"d":"e","g":[1,null]},"h":{},"n":9007199254740993}`; got.Data.String() != want || got.Version != 2 {
		t.Errorf("got %s, version %d", got.Data, got.Version)
	}
	if _, err := r.PatchUser(ctx, "u", data(t, `{"a":1}`), new(uint64(1))); !errors.Is(err, directory.ErrVersion) {
		t.Errorf("patch of an old version: %v", err)
	}
	if _, err := r.PatchUser(ctx, "u", data(t, `"x"`), nil); !errors.Is(err, directory.ErrNotObject) {
		t.Errorf("patch with a string: %v", err)
	}
}

func TestPatchesOfManyWritersAllCount(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	if _, err := r.PutRoom(ctx, "x", data(t, `{}`), nil); err != nil {
		t.Fatal(err)
	}
	// Two writers on two views of one log: two cores.
	second := open(t, t.TempDir(), "e")
	other := &directory.Writer{View: second, Log: r.log, End: r.log.End, Logs: logs}
	stop := r.log.follow(t, second)
	defer stop()
	if err := second.WaitApplied(ctx, 1); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 16 {
		writers.Go(func() {
			w := r.Writer
			if i%2 == 1 {
				w = other
			}
			for k := range 5 {
				if _, err := w.PatchRoom(ctx, "x", data(t, fmt.Sprintf(`{"k%d-%d":true}`, i, k)), nil); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			}
		})
	}
	writers.Wait()
	if err := r.view.WaitApplied(ctx, r.log.End(wire.StateLog)); err != nil {
		t.Fatal(err)
	}
	read(t, r.view, func(rd *directory.Reader) error {
		doc, _, err := rd.Room("x")
		if doc.Version != 81 {
			t.Errorf("version %d after 80 patches", doc.Version)
		}
		return err
	})
}

func TestBatchOfPuts(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	if _, err := r.PutUser(ctx, "u3", data(t, `{}`), new(uint64(7))); err != nil {
		t.Fatal(err)
	}
	puts := make([]directory.Put, 5000)
	for i := range puts {
		puts[i] = directory.Put{ID: fmt.Sprintf("u%d", i), Data: data(t, `{"n":1}`), Version: new(uint64(5))}
	}
	written, err := r.PutUsers(ctx, puts)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		if late := i == 3; late != errors.Is(w.Err, directory.ErrVersion) || !late && (w.Version != 5 || !w.Created || w.V == 0) {
			t.Fatalf("item %d: %+v", i, w)
		}
	}
	if r.log.calls > 10 {
		t.Errorf("%d appends for one batch", r.log.calls)
	}
}

func TestAnUnavailableLogWritesNothing(t *testing.T) {
	r, ctx := newRig(t), timeout(t)
	r.log.fail = func(*wire.StateRecord) error { return corelog.ErrUnavailable }
	if _, err := r.PutUser(ctx, "u", data(t, `{}`), nil); !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := r.PutUsers(ctx, []directory.Put{{ID: "u", Data: data(t, `{}`)}}); !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
