package directory_test

import (
	"testing"

	"selvedge/wire"
)

// Each membership that is applied says how many members its room has after it,
// however the log is cut into batches: also one that changes nothing.
func TestApplyCountsMembers(t *testing.T) {
	for _, size := range []int{1, 7, 3000} {
		records := history(3000)
		view := open(t, t.TempDir(), "e")
		for start := 0; start < len(records); start += size {
			if err := view.Apply(records[start:min(len(records), start+size)]); err != nil {
				t.Fatal(err)
			}
		}
		in := map[wire.RoomID]map[wire.UserID]bool{}
		again := 0
		for _, r := range records {
			if r.Kind != wire.StateMember {
				if r.MemberCount != 0 {
					t.Fatalf("record %d, a document: %d members", r.V, r.MemberCount)
				}
				continue
			}
			if in[r.Room] == nil {
				in[r.Room] = map[wire.UserID]bool{}
			}
			if in[r.Room][r.User] != r.Deleted {
				again++
			}
			if delete(in[r.Room], r.User); !r.Deleted {
				in[r.Room][r.User] = true
			}
			if r.MemberCount != len(in[r.Room]) {
				t.Fatalf("record %d of batches of %d: %d members, want %d", r.V, size, r.MemberCount, len(in[r.Room]))
			}
		}
		if again == 0 {
			t.Error("no record changes nothing")
		}
	}
}
