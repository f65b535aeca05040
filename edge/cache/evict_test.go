package cache

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// crowd appends frames of one busy channel to log p of c until bytes are held,
// and then one more.
func crowd(t testing.TB, c *Cache, p wire.LogID, held int64) {
	t.Helper()
	ch, _ := c.Acquire(inLog(p, c.Logs(), 7))
	ch.SetLive(c.Log(p).Pos())
	for c.Bytes() < held {
		line(t, ch, 100, c.Log(p).Pos()+1)
	}
}

// A busy log that fills the whole cache takes nothing from a quiet one: what is
// filled there stays until it is read, or fills would follow each other for
// ever.
func TestBusyLogLeavesAQuietOneItsShare(t *testing.T) {
	c := New(2, 20_000)
	crowd(t, c, 1, 19_500)
	ch, _ := c.Acquire(inLog(0, 2, 0))
	ch.SetLive(5)
	c.Log(0).Append(nil, 5)
	var frames []*Frame
	for seq := range wire.Seq(5) {
		frames = append(frames, frameOf(t, ch.Name, 0, seq+1, seq, 100))
	}
	if _, err := ch.Fill(fillOf(0, 5, 0, frames...)); err != nil {
		t.Fatal(err)
	}
	if got, a, _ := ch.Read(nil, 0, 5, 1<<20); a != Complete || len(got) != 5 {
		t.Errorf("after the fill: answer %d, %v", a, seqs(got))
	}
	busy := c.Find(inLog(1, 2, 7))
	for range 20 {
		line(t, busy, 100, c.Log(1).Pos()+1)
	}
	line(t, ch, 100, 6)
	if got, a, _ := ch.Read(nil, 0, 6, 1<<20); a != Complete || len(got) != 6 {
		t.Errorf("after more of the other log: answer %d, %v", a, seqs(got))
	}
	if c.Bytes() > 20_000 {
		t.Errorf("%d bytes", c.Bytes())
	}
}

// A channel whose own frames are the oldest of its log can be filled below
// them: the others pay, first.
func TestFillIsDroppedLastOfItsLog(t *testing.T) {
	c := New(1, 20_000)
	ch, _ := c.Acquire("room:old")
	ch.SetLive(10)
	c.Log(0).Append(nil, 10)
	line(t, ch, 100, 11)
	crowd(t, c, 0, 19_500)
	fill := fillOf(8, 10, 0, frameOf(t, ch.Name, 0, 9, 0, 100))
	if _, err := ch.Fill(fill); err != nil {
		t.Fatal(err)
	}
	last := c.Log(0).Pos()
	for range 20 {
		got, a, _ := ch.Read(nil, 8, last, 1<<20)
		if diff := cmp.Diff([]wire.Seq{9, 11}, seqs(got)); a != Complete || diff != "" {
			t.Fatalf("answer %d\n%s", a, diff)
		}
		other := c.Find(inLog(0, 1, 7))
		line(t, other, 100, c.Log(0).Pos()+1)
	}
}

// A channel too big for the cache keeps its newest part.
func TestChannelLargerThanTheBudget(t *testing.T) {
	c := New(1, 2000)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(20)
	c.Log(0).Append(nil, 20)
	var frames []*Frame
	for seq := range wire.Seq(20) {
		frames = append(frames, frameOf(t, ch.Name, 0, seq+1, seq, 100))
	}
	if _, err := ch.Fill(fillOf(0, 20, 0, frames...)); err != nil {
		t.Fatal(err)
	}
	if got, a, _ := ch.Read(nil, 0, 20, 1<<20); a != Complete || len(got) != 20 {
		t.Errorf("just filled: answer %d, %v", a, seqs(got))
	}
	c.NextFills()
	c.NextFills()
	c.Log(0).Append(nil, 20)
	floor, _ := ch.Floor()
	got, a, _ := ch.Read(nil, floor, 20, 1<<20)
	if floor == 0 || c.Bytes() > 2000 || a != Complete || len(got) != int(20-floor) || len(got) == 0 {
		t.Errorf("floor %d, %d bytes, answer %d, %v", floor, c.Bytes(), a, seqs(got))
	}
}

// Channels that come and go leave no memory behind.
func TestEntriesOfReleasedChannelsGo(t *testing.T) {
	c := New(1, 1<<30)
	for range 5000 {
		ch, _ := c.Acquire("room:a")
		ch.SetLive(c.Log(0).Pos())
		line(t, ch, 1, c.Log(0).Pos()+1)
		c.Release(ch)
	}
	if n := cap(c.Log(0).held); n > 4096 || c.Bytes() != 0 {
		t.Errorf("%d entries are kept, %d bytes counted, for nothing", n, c.Bytes())
	}
}

func BenchmarkAppend(b *testing.B) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	proto := frameOf(b, ch.Name, 0, 1, 0, 200)
	b.ReportAllocs()
	for b.Loop() {
		f := &Frame{Frame: proto.Frame}
		f.Prev = ch.log.pos
		f.Seq = f.Prev + 1
		c.Log(0).Append([]*Frame{f}, f.Seq)
	}
}

func BenchmarkRead(b *testing.B) {
	c := New(1, 1<<20)
	ch, _ := c.Acquire("room:a")
	ch.SetLive(0)
	for seq := range wire.Seq(1000) {
		line(b, ch, 10, seq+1)
	}
	var dst []*Frame
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = ch.Read(dst[:0], 900, 1000, 1<<20)
	}
}
