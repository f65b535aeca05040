package chain

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"selvedge/wire"
)

// model is the dumb truth: all positions of a log, and what of them was there to
// be seen.
type model struct {
	t      *testing.T
	seed   uint64
	dir    string
	frames []placed // position i+1
	floor  wire.Seq // what lies at or below was trimmed
	// unseen is the last position that was trimmed, or erased, before it was seen.
	unseen wire.Seq
	c      *Chain
}

type placed struct {
	k    wire.Key
	seen bool
	prev wire.Seq // as Add gave it; seen only
}

// last is the last frame of k in (after, upto] that was ever there, seen or not.
func (m *model) last(k wire.Key, after, upto wire.Seq) wire.Seq {
	for s := upto; s > after; s-- {
		if m.frames[s-1].k == k {
			return s
		}
	}
	return 0
}

func (m *model) end() wire.Seq { return wire.Seq(len(m.frames)) }

func (m *model) open() {
	m.c = Open(Config{Dir: m.dir, Epoch: "epoch", P: 3, Floor: m.floor, End: m.end()})
	// What the chain does not have, the log brings again.
	from := m.c.Pos()
	m.unseen = m.c.Base()
	erased := wire.Seq(0)
	for s := wire.Seq(1); s <= from; s++ {
		if !m.frames[s-1].seen {
			erased = s
		}
	}
	if m.unseen < erased || m.unseen > max(erased, m.floor) {
		m.t.Fatalf("seed %d: opened at %d, up to %d not all was seen; erased is %d, trimmed up to %d", m.seed, from, m.unseen, erased, m.floor)
	}
	for s := from + 1; s <= m.end(); s++ {
		if f := &m.frames[s-1]; f.seen {
			m.add(s)
		}
	}
}

// add gives the chain a frame and checks its prev.
func (m *model) add(seq wire.Seq) {
	f := &m.frames[seq-1]
	if pos := m.c.Pos(); seq > pos+1 {
		m.unseen = max(m.unseen, seq-1)
	}
	got := m.c.Add(f.k, seq, int64(seq))
	if want := max(m.last(f.k, m.unseen, seq-1), m.unseen); got != want {
		m.t.Fatalf("seed %d: prev of %d is %d, want %d", m.seed, seq, got, want)
	}
	f.prev = got
}

// check compares all that can be asked.
func (m *model) check() {
	r := m.c.Reader()
	for s := wire.Seq(1); s <= m.end(); s++ {
		prev, ok := r.Prev(s)
		f := m.frames[s-1]
		if ok && (!f.seen || prev != f.prev) || !ok && f.seen && s > m.floor {
			m.t.Fatalf("seed %d: prev of %d is %d, %v; want %+v, floor %d", m.seed, s, prev, ok, f, m.floor)
		}
	}
	for k := range wire.Key(5) {
		k <<= 60
		for since := wire.Seq(0); since <= m.end(); since += 1 + m.end()/200 {
			has := m.last(k, since, m.c.Pos()) > 0
			if got := m.c.Moved(k, since); has && !got || got && !has && since >= m.unseen {
				m.t.Fatalf("seed %d: key %x since %d moved %v, but has frames %v; unseen %d", m.seed, k, since, got, has, m.unseen)
			}
			if since > m.floor {
				continue
			}
			had := m.last(k, since, m.floor)
			at, ok := r.Back(m.c.Reaches(k), m.floor, 1<<20)
			if said := !ok || at > since; had > 0 && !said || said && had == 0 && since >= m.unseen {
				m.t.Fatalf("seed %d: key %x in (%d, %d]: said to be lost %v, had %d; unseen %d", m.seed, k, since, m.floor, said, had, m.unseen)
			}
		}
	}
}

// The chain against the model: added to, trimmed, saved, closed, killed and
// opened again, at random.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &model{t: t, seed: seed, dir: t.TempDir()}
		m.open()
		size := []int{40, 40, 800}[r.IntN(3)] // pages have 510
		for range 12 {
			switch r.IntN(6) {
			case 0: // erased, or trimmed before it could be seen
				m.frames = append(m.frames, placed{k: wire.Key(r.IntN(4)) << 60})
			case 1:
				m.floor += wire.Seq(r.IntN(int(m.end()-m.floor) + 1))
				if err := m.c.Trim(m.floor); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := m.c.Save(); err != nil {
					t.Fatal(err)
				}
			case 3:
				if err := m.c.Close(); err != nil {
					t.Fatal(err)
				}
				m.open()
			case 4: // killed: what was not saved is read again, if it is there
				if err := m.c.pages.close(); err != nil {
					t.Fatal(err)
				}
				m.open()
			}
			for range r.IntN(size) {
				m.frames = append(m.frames, placed{k: wire.Key(r.IntN(4)) << 60, seen: true})
				m.add(m.end())
			}
			m.check()
		}
		if err := m.c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Frames that were trimmed while nobody looked may have been anybody's.
func TestTrimmedBeyondTheSnapshot(t *testing.T) {
	dir := t.TempDir()
	c := Open(Config{Dir: dir, Epoch: "e", End: 0})
	c.Add(1, 1, 10)
	c.Add(2, 2, 20)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = Open(Config{Dir: dir, Epoch: "e", Floor: 50, End: 60})
	if c.Pos() != 50 || !c.Moved(1, 49) || c.Moved(1, 50) || !c.Moved(9, 49) {
		t.Errorf("at %d: what was not seen, up to 50, was nobody's", c.Pos())
	}
	if got := c.Add(2, 51, 30); got != 50 {
		t.Errorf("prev of 51 is %d, want 50", got)
	}
	if c.Last(1) != (Last{1, 10}) || c.Last(2) != (Last{51, 30}) {
		t.Errorf("last frames %v, %v", c.Last(1), c.Last(2))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// Rule 4: a jump in the log's own numbers raises prev for every channel.
func TestJumpRaisesPrevForEveryChannel(t *testing.T) {
	c := Open(Config{Floor: 10, End: 10})
	for _, step := range []struct {
		k         wire.Key
		seq, prev wire.Seq
	}{{1, 11, 10}, {2, 12, 10}, {1, 13, 11}, {1, 20, 19}, {2, 21, 19}, {1, 22, 20}, {3, 23, 19}, {3, 1 << 40, 1<<40 - 1}, {3, 1<<40 + 1, 1 << 40}} {
		if got := c.Add(step.k, step.seq, 0); got != step.prev {
			t.Errorf("prev of %d is %d, want %d", step.seq, got, step.prev)
		}
		if got, ok := c.Reader().Prev(step.seq); !ok || got != step.prev {
			t.Errorf("then it is %d, %v", got, ok)
		}
	}
	c.Pass(1<<40 + 2)
	if _, ok := c.Reader().Prev(1<<40 + 2); ok || c.Pos() != 1<<40+2 {
		t.Errorf("a frame that can't be told has a prev, at %d", c.Pos())
	}
	if got := c.Add(3, 5, 0); got != 4 || c.Pos() != 1<<40+2 {
		t.Errorf("a repetition promises that nothing is after %d", got)
	}
	c.Skip(1 << 41)
	if c.Moved(3, 1<<41) || !c.Moved(7, 1<<41-1) || c.Add(3, 1<<41+1, 0) != 1<<41 {
		t.Error("what was skipped was nobody's")
	}
}

// Channels that were quiet longest go first, and none that has frames left; of
// what is forgotten nothing is denied.
func TestForgetting(t *testing.T) {
	c := Open(Config{Dir: t.TempDir(), Epoch: "e", Channels: 100})
	key := func(s wire.Seq) wire.Key { return wire.FramesKey(wire.Channel(fmt.Sprint("room:", s))) }
	for s := wire.Seq(1); s <= 200; s++ {
		c.Add(key(s), s, 1)
	}
	for _, step := range []struct {
		floor wire.Seq
		want  int
	}{{0, 200}, {10, 200}, {20, 180}, {150, 134}, {150, 134}} {
		if err := c.Trim(step.floor); err != nil {
			t.Fatal(err)
		}
		if got := c.Channels(); got != step.want {
			t.Errorf("trimmed to %d, %d channels are known, want %d", step.floor, got, step.want)
		}
	}
	for s := wire.Seq(201); s <= 230; s++ {
		c.Add(key(s), s, 1)
	}
	if err := c.Trim(151); err != nil {
		t.Fatal(err)
	}
	if got := c.Channels(); got != 122 {
		t.Errorf("%d channels are known, want 122", got)
	}
	for s := wire.Seq(1); s <= 230; s++ {
		if !c.Moved(key(s), s-1) {
			t.Fatalf("the channel of %d is said to have none", s)
		}
		if s > 108 && c.Moved(key(s), s) {
			t.Fatalf("the channel of %d is said to have another", s)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
