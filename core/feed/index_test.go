package feed

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"selvedge/wire"
)

// The index against a dumb model: a list of all positions of a log, some of
// which were trimmed or erased before the feed could see them.
func TestIndexAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := wire.Seq(r.IntN(3))
		x := newIndex(base)
		var all []struct {
			k    wire.Key
			seen bool
		}
		for range base {
			all = append(all, struct {
				k    wire.Key
				seen bool
			}{})
		}
		before, jump := base, base // the last seen, and the last unseen before a seen one
		for range 60 {
			k, seen := wire.Key(r.IntN(4)), r.IntN(10) > 0
			all = append(all, struct {
				k    wire.Key
				seen bool
			}{k, seen})
			seq := wire.Seq(len(all))
			if !seen {
				continue
			}
			if seq > before+1 {
				jump = seq - 1
			}
			// The dumb prev: the channel's last frame that was seen, but no
			// further back than what was not seen.
			want := jump
			for s := seq - 1; s > jump; s-- {
				if all[s-1].seen && all[s-1].k == k {
					want = s
					break
				}
			}
			if got := x.add(k, seq, before, int64(seq)); got != want {
				t.Fatalf("seed %d: prev of %d is %d, want %d", seed, seq, got, want)
			}
			before = seq
		}
		for k := range wire.Key(5) {
			for since := range wire.Seq(len(all) + 1) {
				has := false
				for s := since + 1; s <= before; s++ {
					has = has || all[s-1].k == k && all[s-1].seen
				}
				if got := x.moved(k, since); has && !got || got && !has && since >= jump {
					t.Fatalf("seed %d: key %d since %d moved %v, but has frames %v", seed, k, since, got, has)
				}
			}
		}
	}
}

// Rule 4: a jump in the log's own numbers raises prev for every channel.
func TestJumpRaisesPrevForEveryChannel(t *testing.T) {
	x := newIndex(10)
	for _, step := range []struct {
		k           wire.Key
		seq, before wire.Seq
		prev        wire.Seq
	}{{1, 11, 10, 10}, {2, 12, 11, 10}, {1, 13, 12, 11}, {1, 20, 13, 19}, {2, 21, 20, 19}, {1, 22, 21, 20}, {3, 23, 22, 19}} {
		if got := x.add(step.k, step.seq, step.before, 0); got != step.prev {
			t.Errorf("prev of %d is %d, want %d", step.seq, got, step.prev)
		}
	}
	if !x.moved(9, 18) || x.moved(9, 19) {
		t.Error("a channel without frames has not moved by the jump alone")
	}
}

func BenchmarkIndexAdd(b *testing.B) {
	x := newIndex(0)
	keys := make([]wire.Key, 1<<14)
	for i := range keys {
		keys[i] = wire.FramesKey(wire.RoomChannel(wire.RoomID(fmt.Sprint(i))))
	}
	b.ReportAllocs()
	for seq := wire.Seq(1); b.Loop(); seq++ {
		x.add(keys[int(seq)%len(keys)], seq, seq-1, 1)
	}
}
