package bench

import (
	"bytes"
	"slices"
	"testing"

	"selvedge/wire"
)

// The figures are of a team with documents of the size that is said.
func TestTeam(t *testing.T) {
	team := team{users: 2000, rooms: 400, perUser: 30}
	seen := map[string]bool{}
	for n := range 200 {
		for _, d := range []struct {
			doc, again wire.Data
			size       int
		}{{team.user(n), team.user(n), userBytes}, {team.room(n), team.room(n), roomBytes}} {
			if len(d.doc) > d.size || len(d.doc) < d.size-8 || !bytes.Equal(d.doc, d.again) || seen[string(d.doc)] || wire.Check(d.doc) != nil || wire.NameOf(d.doc) == "" {
				t.Fatalf("document %d of %d bytes, want %d: %s", n, len(d.doc), d.size, d.doc)
			}
			seen[string(d.doc)] = true
		}
	}
	members := team.members(team.users)
	var all int
	for room, in := range members {
		all += len(in)
		if room < forAll && len(in) != team.users {
			t.Errorf("room %d of everyone has %d members", room, len(in))
		}
	}
	if all != team.users*team.perUser {
		t.Errorf("%d memberships, want %d", all, team.users*team.perUser)
	}
	if large, small := len(members[forAll]), len(members[399]); large < 4*small {
		t.Errorf("room %d has %d members, and room 399 has %d", forAll, large, small)
	}
	if rooms := team.roomsOf(7); len(rooms) != 30 || !slices.IsSorted(rooms) || !slices.Equal(rooms, team.roomsOf(7)) {
		t.Errorf("user 7 is in %v", rooms)
	}
	snapshot := len(team.snapshot(0))
	if least := 2000*(userBytes-8) + 400*(roomBytes-8); snapshot < least || snapshot > least+2000*40+400*80+30*40 {
		t.Errorf("the snapshot has %d bytes; the documents alone have %d", snapshot, least)
	}
}
