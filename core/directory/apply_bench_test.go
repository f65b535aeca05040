package directory_test

import (
	"fmt"
	"testing"

	"selvedge/wire"
)

// What it takes to apply records in portions as they come when a view is built
// again: documents first, then memberships in no order of ids.
func BenchmarkApply(b *testing.B) {
	const users, rooms, each, portion = 100_000, 1000, 10, 1000
	doc := data(b, `{"name":"Some One","title":"weaver","avatar":"https://example.com/avatars/0123456789abcdef.png"}`)
	record := func(i int) wire.StateRecord {
		r := wire.StateRecord{V: wire.Seq(i + 1), Kind: wire.StateUser, User: wire.UserID(fmt.Sprintf("user-%06d", i*7919%users)), Data: doc}
		if i >= users {
			r.Kind, r.Data, r.Room, r.From = wire.StateMember, nil, wire.RoomID(fmt.Sprintf("room-%04d", (i*31+i/users)%rooms)), 12345
		}
		return r
	}
	records := make([]wire.StateRecord, portion)
	b.ReportAllocs()
	for b.Loop() {
		view := open(b, b.TempDir(), "e")
		for at := 0; at < users*(1+each); at += portion {
			for i := range records {
				records[i] = record(at + i)
			}
			if err := view.Apply(records); err != nil {
				b.Fatal(err)
			}
		}
		if err := view.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*users*(1+each)), "ns/record")
}
