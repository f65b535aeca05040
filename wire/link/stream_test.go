package link_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// keysOf are the interests in channels' frames.
func keysOf(chs ...wire.Channel) []wire.Key {
	var out []wire.Key
	for _, ch := range chs {
		out = append(out, wire.FramesKey(ch))
	}
	return out
}

func TestRecordsAfterThePositionOnceAndInOrder(t *testing.T) {
	src := memory()
	chs := channels(0, 3)
	for i := range 30 {
		src.Publish(chs[i%3], 10)
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	if d.Epoch != "memory" || d.Logs != 2 || !slices.Equal(d.Ends, []wire.Seq{30, 0, 0}) {
		t.Errorf("hello is answered by epoch %q, %d logs, ends %v", d.Epoch, d.Logs, d.Ends)
	}
	d.open(0, 10, keysOf(chs[0], chs[2])...)
	want := []wire.Seq{12, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 28, 30}
	if diff := cmp.Diff(want, d.seqs(0, len(want))); diff != "" {
		t.Errorf("of the backlog (-want +got):\n%s", diff)
	}
	for i := range 30 {
		src.Publish(chs[i%3], 10)
	}
	want = nil
	for s := wire.Seq(31); s <= 60; s++ {
		if s%3 != 2 {
			want = append(want, s)
		}
	}
	if diff := cmp.Diff(want, d.seqs(0, len(want))); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
}

func TestLiveStartsAtTheEnd(t *testing.T) {
	src := memory()
	ch := channels(0, 1)[0]
	src.Publish(ch, 10)
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(0, link.Live, keysOf(ch)...)
	if m, before := d.change(0, 1, nil, nil, link.Live); m.Seq != 1 || len(before) > 0 {
		t.Errorf("live is from %d after %d records, want 1 after none", m.Seq, len(before))
	}
	src.Publish(ch, 10)
	if got := d.seqs(0, 1); got[0] != 2 {
		t.Errorf("got %d, want 2", got[0])
	}
}

// Everything up to the marker belongs to the old interests, everything after it
// to the new ones (rule 2).
func TestInterestHoldsFromItsMarkerOn(t *testing.T) {
	src := memory()
	chs := channels(0, 3)
	a, b, c := chs[0], chs[1], chs[2]
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(0, 0, keysOf(a)...)
	src.Publish(a, 10) // 1
	src.Publish(b, 10) // 2
	src.Publish(a, 10) // 3
	if got := d.seqs(0, 2); !slices.Equal(got, []wire.Seq{1, 3}) {
		t.Fatalf("got %v, want 1 and 3", got)
	}
	for _, step := range []struct {
		since wire.Seq
		moved []wire.Key
	}{{0, keysOf(b)}, {1, keysOf(b)}, {2, nil}, {3, nil}, {link.Live, nil}} {
		m, _ := d.change(0, uint64(step.since)+10, keysOf(b, c), keysOf(b, c), step.since)
		if m.Seq != 3 || !slices.Equal(m.Moved, step.moved) {
			t.Errorf("since %d: marker at %d, moved %v; want 3, %v", step.since, m.Seq, m.Moved, step.moved)
		}
	}
	src.Publish(b, 10) // 4
	src.Publish(c, 10) // 5
	if got := d.seqs(0, 2); !slices.Equal(got, []wire.Seq{4, 5}) {
		t.Errorf("after the marker: %v, want 4 and 5", got)
	}
	if _, before := d.change(0, link1, nil, keysOf(b), link.Live); len(before) > 0 {
		t.Errorf("%d records before the marker", len(before))
	}
	src.Publish(b, 10) // 6
	src.Publish(a, 10) // 7
	if got := d.seqs(0, 1); got[0] != 7 {
		t.Errorf("got %d of what was dropped, want 7", got[0])
	}
}

// link1 is an id above all others of a test.
const link1 = 1 << 62

func TestWatermarksComeInOrderToEverybody(t *testing.T) {
	src := memory()
	chs := channels(0, 2)
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(0, 0, keysOf(chs[0])...)
	src.Publish(chs[0], 10)
	src.Stamp(0)
	src.Publish(chs[1], 10) // nobody wants it
	src.Stamp(0)
	var got []wire.Seq
	var kinds []tail.Kind
	for range 3 {
		r := d.record(0)
		kinds = append(kinds, r.Kind)
		if r.Kind == tail.Watermark {
			got = append(got, r.Seq)
		}
	}
	if !slices.Equal(kinds, []tail.Kind{tail.Frame, tail.Watermark, tail.Watermark}) || !slices.Equal(got, []wire.Seq{1, 2}) {
		t.Errorf("kinds %v with watermarks %v, want a frame, and watermarks 1 and 2", kinds, got)
	}
}

func TestStateRecordsMeetEitherInterest(t *testing.T) {
	src := memory()
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(wire.StateLog, 0, wire.RoomsKey("u1"))
	src.Record(wire.StateLog, tail.State, wire.RoomsKey("u2"), []byte("not wanted"))
	src.Record(wire.StateLog, tail.State, wire.RoomsKey("u1"), []byte("wanted"))
	if r := d.record(wire.StateLog); r.Kind != tail.State || string(r.Bytes) != "wanted" {
		t.Errorf("got %d %q", r.Kind, r.Bytes)
	}
}

// A reader that the tail has left behind reads the log itself (rule 13).
func TestWhoFallsOffTheTailMissesNothing(t *testing.T) {
	src := linktest.NewMemory(2, 2<<10) // some ten frames
	chs := channels(0, 3)
	want := []wire.Seq{}
	for i := range 500 {
		if src.Publish(chs[i%3], 100); i%3 != 1 {
			want = append(want, wire.Seq(i+1))
		}
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(0, 0, keysOf(chs[0], chs[2])...)
	if diff := cmp.Diff(want, d.seqs(0, len(want))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m, before := d.change(0, 1, nil, nil, link.Live); m.Seq != 500 || len(before) > 0 {
		t.Errorf("then live from %d after %d records, want 500 after none", m.Seq, len(before))
	}
}

func TestTrimmedRecordsAreAGapSaidOpenly(t *testing.T) {
	src := linktest.NewMemory(2, 2<<10)
	ch := channels(0, 1)[0]
	for range 300 {
		src.Publish(ch, 100)
	}
	src.Trim(0, 120)
	d := dial(t, serve(t, src, udp(t)), "e")
	d.open(0, 100, keysOf(ch)...)
	if e := d.event(0); e.gap != 120 {
		t.Fatalf("first came %+v, want the gap up to 120", e)
	}
	for i, s := range d.seqs(0, 180) {
		if s != wire.Seq(121+i) {
			t.Fatalf("record %d is %d, want %d", i, s, 121+i)
		}
	}
}

// A log whose receiver blocks holds up no other.
func TestLogsAreIndependent(t *testing.T) {
	src := linktest.NewMemory(2, 64<<20)
	a, b := channels(0, 1)[0], channels(1, 1)[0]
	d, err := dialer{pc: udp(t), name: "e", room: 1}.dial(t, serve(t, src, udp(t)).addr)
	if err != nil {
		t.Fatal(err)
	}
	d.open(0, 0, keysOf(a)...)
	d.open(1, 0, keysOf(b)...)
	for range 150 { // far more than the first windows of log 0's stream
		src.Publish(a, 50_000)
	}
	for i := range 100 {
		src.Publish(b, 1000)
		if got := d.seqs(1, 1); got[0] != wire.Seq(i+1) {
			t.Fatalf("got %d of the free log, want %d", got[0], i+1)
		}
	}
	for i, s := range d.seqs(0, 150) {
		if s != wire.Seq(i+1) {
			t.Fatalf("got %d of the blocked log, want %d", s, i+1)
		}
	}
}

// A delta of any size that a control message holds is answered.
func TestMarkerOfManyInterests(t *testing.T) {
	src := memory()
	d := dial(t, serve(t, allMoved{src}, udp(t)), "e")
	src.Publish(channels(0, 1)[0], 10)
	d.open(0, 1)
	keys := make([]wire.Key, 300_000)
	for i := range keys {
		keys[i] = wire.Key(1<<60 + i)
	}
	if m, _ := d.change(0, 1, keys, nil, 0); !slices.Equal(m.Moved, keys) {
		t.Errorf("%d of %d keys have moved", len(m.Moved), len(keys))
	}
}

// allMoved is a source that says of each key that it may have moved.
type allMoved struct{ link.Source }

func (allMoved) Moved(dst []wire.Key, _ wire.LogID, keys []wire.Key, _ wire.Seq) []wire.Key {
	return append(dst, keys...)
}
