package cache

import (
	"testing"

	"selvedge/wire"
)

// Moved agrees with what a reader finds, whatever was appended, filled, evicted
// or lost.
func TestMoved(t *testing.T) {
	c := New(1, 1<<20)
	l := c.Log(0)
	ch, _ := c.Acquire("room:a")
	want := func(after, last, at wire.Seq, known bool) {
		t.Helper()
		if gotLast, gotAt, gotKnown := ch.Moved(after); gotLast != last || gotAt != at || gotKnown != known {
			t.Errorf("Moved(%d) = %d, %d, %v; want %d, %d, %v", after, gotLast, gotAt, gotKnown, last, at, known)
		}
	}
	fill := func(floor, upto, gone wire.Seq, seqs ...wire.Seq) {
		t.Helper()
		f := &wire.Fill{Ch: ch.Name, Floor: floor, Upto: upto, Gone: gone}
		for _, seq := range seqs {
			f.Frames = append(f.Frames, movedFrame(seq))
		}
		if _, err := ch.Fill(f); err != nil {
			t.Fatal(err)
		}
	}
	want(0, 0, 0, false) // its interest hangs
	l.Start(100)
	ch.SetLive(100)
	want(100, 0, 100, true)
	want(200, 0, 200, true)
	want(50, 0, 50, false)
	fill(50, 60, 0) // a piece without frames
	want(50, 0, 60, false)
	want(60, 0, 60, false)
	fill(60, 70, 0, 65)
	want(50, 100, 50, true) // 65 at least; 100 bounds the others
	want(66, 0, 70, false)
	fill(70, 100, 0, 80)
	want(50, 80, 50, true)
	want(80, 0, 80, true)
	fr, err := ParseFrame(movedFrame(110))
	if err != nil {
		t.Fatal(err)
	}
	l.Append([]*Frame{fr}, 120)
	want(80, 110, 80, true)
	want(110, 0, 110, true)
	want(20, 110, 20, true) // one is enough to know
	l.Gap(200, []wire.Key{wire.FramesKey(ch.Name)})
	want(20, 0, 20, false)
	fill(150, 200, 150)
	want(20, 150, 20, true)
	want(150, 0, 150, true)
}

func movedFrame(seq wire.Seq) wire.Data {
	return wire.AppendFrame(nil, 0, seq, 0, wire.AppendBody(nil, &wire.Post{Ch: "room:a", TS: 1, From: "u1", Data: wire.Data{0xc0}}))
}

// What a frame says of itself and its channel is the same, however it came.
func TestFilledFramesKnowTheirChannel(t *testing.T) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	c.Log(0).Start(100)
	ch.SetLive(100)
	if _, err := ch.Fill(&wire.Fill{Ch: ch.Name, Floor: 0, Upto: 100, Frames: []wire.Data{movedFrame(7)}}); err != nil {
		t.Fatal(err)
	}
	frames, _, _ := ch.Read(nil, 0, 100, 1)
	if len(frames) != 1 || frames[0].Channel != ch || !frames[0].Refers {
		t.Errorf("%+v", frames)
	}
}
