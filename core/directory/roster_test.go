package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	"selvedge/wire"
)

// The pages of a roster have every member once, in order, with the name that its
// document has, whatever the bounds of a page.
func TestRosterInPages(t *testing.T) {
	view := open(t, t.TempDir(), "e")
	var want []wire.UserID
	var names []wire.Name
	var records []wire.StateRecord
	add := func(r wire.StateRecord) wire.Seq {
		r.V = wire.Seq(len(records) + 1)
		records = append(records, r)
		return r.V
	}
	for i := range 300 {
		id := wire.UserID(fmt.Sprintf("u%04d", i))
		var name wire.Name
		if i%3 > 0 {
			name.Name = strings.Repeat("n", i)
			name.V = add(wire.StateRecord{Kind: wire.StateUser, User: id, Data: data(t, `{"a":1,"name":"`+name.Name+`"}`)})
			name.Name = name.Name[:min(i, wire.MaxName)]
		}
		if i%5 > 0 {
			add(wire.StateRecord{Kind: wire.StateMember, Room: "r", User: id})
			want, names = append(want, id), append(names, name)
		} else {
			add(wire.StateRecord{Kind: wire.StateMember, Room: "r r", User: id})
		}
	}
	if err := view.Apply(records); err != nil {
		t.Fatal(err)
	}
	for _, bounds := range [][2]int{{1, 1 << 20}, {7, 1 << 20}, {1000, 1}, {1000, 1000}, {1000, 1 << 20}, {240, 1 << 20}} {
		var got []wire.UserID
		var gotNames []wire.Name
		pages, after := 0, ""
		for more := true; more; more = after != "" {
			read(t, view, func(r *directory.Reader) error {
				m, n, next, err := r.Roster("r", wire.UserID(after), bounds[0], bounds[1])
				got, gotNames, after = append(got, m...), append(gotNames, n...), next
				if len(m) == 0 || len(m) > bounds[0] || next != "" && next != string(m[len(m)-1]) {
					t.Errorf("%v: a page of %d, next %q", bounds, len(m), next)
				}
				return err
			})
			pages++
		}
		if diff := cmp.Diff(want, got) + cmp.Diff(names, gotNames); diff != "" {
			t.Errorf("in pages of %v (-want +got):\n%s", bounds, diff)
		}
		if bounds[1] == 1000 && (pages < 10 || pages > 60) {
			t.Errorf("%d pages of %d bytes", pages, bounds[1])
		}
	}
}

// A page of 20,000, of a room of 100,000 members.
func BenchmarkRoster(b *testing.B) {
	view := open(b, b.TempDir(), "e")
	var records []wire.StateRecord
	for i := range 100_000 {
		id := wire.UserID(fmt.Sprintf("user-%06d", i*7919%100_000))
		doc := data(b, fmt.Sprintf(`{"name":"User Number %d","avatar":%q}`, i, strings.Repeat("x", 350)))
		records = append(records,
			wire.StateRecord{V: wire.Seq(2*i + 1), Kind: wire.StateUser, User: id, Data: doc},
			wire.StateRecord{V: wire.Seq(2*i + 2), Kind: wire.StateMember, Room: "r", User: id})
	}
	if err := view.Apply(records); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	after, n := "", 0
	for b.Loop() {
		if err := view.Read(func(r *directory.Reader) error {
			m, _, next, err := r.Roster("r", wire.UserID(after), wire.MaxRoster, 1<<20)
			n, after = n+len(m), next
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/member")
}
