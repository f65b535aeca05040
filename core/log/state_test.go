package log_test

import (
	"errors"
	"fmt"
	"testing"

	"selvedge/wire"

	"github.com/google/go-cmp/cmp"

	corelog "selvedge/core/log"
)

func user(id wire.UserID, v uint64) wire.StateRecord {
	return wire.StateRecord{Kind: wire.StateUser, User: id, Data: wire.Data{0x80}, Version: v}
}

func TestStateLogKeepsTheLastRecordOfEachKey(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	got := follow(t, s, wire.StateLog, 0)
	records := []wire.StateRecord{
		user("u.1", 1),
		{Kind: wire.StateRoom, Room: "r*1x", Data: wire.Data{0x80}},
		{Kind: wire.StateMember, Room: "r*1x", User: "u.1", From: 7},
	}
	items := make([]corelog.StateAppend, 0, len(records))
	for _, r := range records {
		items = append(items, corelog.StateAppend{Record: r})
	}
	for i, res := range s.AppendState(t.Context(), items) {
		if res != (corelog.StateResult{Seq: wire.Seq(i + 1)}) {
			t.Fatalf("append %d: %+v", i, res)
		}
		want := records[i]
		want.V = res.Seq
		if diff := cmp.Diff(corelog.Stored{Seq: res.Seq, State: &want}, receive(t, got)); diff != "" {
			t.Fatalf("followed (-want +got):\n%s", diff)
		}
	}
	left := wire.StateRecord{Kind: wire.StateMember, Room: "r*1x", User: "u.1", Deleted: true}
	results := s.AppendState(t.Context(), []corelog.StateAppend{
		{Record: user("u.1", 2), Expect: 9},
		{Record: user("u.1", 2)},
		{Record: left, Expect: 3},
		{Record: user("u.1", 3), Expect: 1},
		{Record: user("u2", 1), Expect: 4},
	})
	for _, i := range []int{0, 1, 4} {
		if !errors.Is(results[i].Err, corelog.ErrConflict) {
			t.Errorf("append %d: %+v, want a conflict", i, results[i])
		}
	}
	if results[2] != (corelog.StateResult{Seq: 4}) || results[3] != (corelog.StateResult{Seq: 5}) {
		t.Errorf("expected appends: %+v", results)
	}
	read, err := s.Read(t.Context(), wire.StateLog, 0, 1<<20)
	if diff := cmp.Diff([]wire.Seq{2, 4, 5}, seqs(read)); diff != "" || err != nil {
		t.Errorf("what is kept: %v (-want +got):\n%s", err, diff)
	}
	if s.End(wire.StateLog) != 5 {
		t.Errorf("end is %d", s.End(wire.StateLog))
	}
}

func TestManyStateRecordsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	items := make([]corelog.StateAppend, 3000)
	for i := range items {
		items[i].Record = user(wire.UserID(fmt.Sprint(i)), 0)
	}
	for i, res := range s.AppendState(t.Context(), items) {
		if res != (corelog.StateResult{Seq: wire.Seq(i + 1)}) {
			t.Fatalf("append %d: %+v", i, res)
		}
	}
	var after wire.Seq
	for {
		read, err := s.Read(t.Context(), wire.StateLog, after, 1<<14)
		if err != nil {
			t.Fatal(err)
		}
		if len(read) == 0 {
			break
		}
		for _, st := range read {
			if st.Seq != after+1 || st.State.V != st.Seq || st.State.User != wire.UserID(fmt.Sprint(after)) {
				t.Fatalf("after %d comes %+v", after, st.State)
			}
			after = st.Seq
		}
	}
	if after != 3000 {
		t.Errorf("read up to %d", after)
	}
}
