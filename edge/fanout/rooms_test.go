package fanout

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// someRooms are n rooms' channels, over all logs.
func someRooms(logs, n int) []*cache.Channel {
	c := cache.New(logs, 1<<20)
	out := make([]*cache.Channel, n)
	for i := range out {
		out[i], _ = c.AcquireRoom(wire.RoomID(fmt.Sprint("r", i)))
	}
	return out
}

// Lists of rooms against plain sets: they are made, held, changed and released in
// any order, and each has what it should have, whatever became of the others.
func TestRoomsAgainstPlainSets(t *testing.T) {
	const logs = 4
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		chans := someRooms(logs, 300)
		inbox, _ := cache.New(logs, 1<<20).Acquire(wire.InboxChannel("ann"))
		numbers := NewNumbers(logs)
		type held struct {
			list  Rooms
			plain map[*cache.Channel]bool
		}
		var all []held
		most := 0
		for range 300 {
			i := 0
			if len(all) > 0 {
				i = rnd.IntN(len(all))
			}
			ch := chans[rnd.IntN(len(chans))]
			switch op := rnd.IntN(6); {
			case op < 2 || len(all) == 0:
				some := slices.Clone(chans[:rnd.IntN(40)])
				if op == 0 {
					some = append(some, chans[100:100+rnd.IntN(200)]...)
				}
				plain := map[*cache.Channel]bool{}
				if rnd.IntN(2) == 0 {
					some = append(some, inbox)
				}
				for _, ch := range some {
					plain[ch] = true
				}
				rnd.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
				all = append(all, held{numbers.Rooms(some), plain})
			case op == 2:
				all = append(all, held{numbers.Hold(all[i].list), maps.Clone(all[i].plain)})
			case op == 3:
				numbers.Release(all[i].list)
				all = slices.Delete(all, i, i+1)
			case all[i].plain[ch]:
				all[i].list = numbers.Without(all[i].list, ch)
				delete(all[i].plain, ch)
			default:
				all[i].list = numbers.With(all[i].list, ch)
				all[i].plain[ch] = true
			}
			used := map[*cache.Channel]bool{}
			for _, h := range all {
				for ch := range h.plain {
					used[ch] = true
				}
			}
			if len(all) > 0 {
				h := all[rnd.IntN(len(all))]
				agree(t, numbers, h.list, h.plain, ch)
			}
			if delete(used, inbox); numbers.Len() != len(used) {
				t.Fatalf("seed %d: %d rooms have a number, %d are in a list", seed, numbers.Len(), len(used))
			}
			most = max(most, len(used))
		}
		for _, h := range all {
			agree(t, numbers, h.list, h.plain, chans[0])
			numbers.Release(h.list)
		}
		if n := numbers.Len(); n > 0 {
			t.Errorf("seed %d: %d rooms have a number when all lists are released", seed, n)
		}
		given := 0
		for _, n := range numbers.next {
			given += int(n) / logs
		}
		if given > len(chans) {
			t.Errorf("seed %d: %d numbers were given, to at most %d rooms at a time", seed, given, most)
		}
	}
}

// agree compares a list with a plain set. probe is some channel.
func agree(t *testing.T, numbers *Numbers, list Rooms, plain map[*cache.Channel]bool, probe *cache.Channel) {
	t.Helper()
	got := map[*cache.Channel]bool{}
	for ch := range numbers.All(list) {
		got[ch] = true
	}
	if !maps.Equal(got, plain) || list.Len() != len(plain) {
		t.Fatalf("a list has %d channels, want %d", list.Len(), len(plain))
	}
	if numbers.Has(list, probe) != plain[probe] {
		t.Fatalf("Has(%s) = %v", probe.Name, !plain[probe])
	}
	n := 0
	for ch := range numbers.Of(list, probe.P) {
		if n++; ch.P != probe.P || !plain[ch] {
			t.Fatalf("Of(%d) has %s of %d", probe.P, ch.Name, ch.P)
		}
	}
	for ch := range plain {
		if ch.P == probe.P {
			n--
		}
	}
	if n != 0 {
		t.Fatalf("Of(%d) has %d too many", probe.P, n)
	}
}

// A room's number is not given to another one while anybody has a list with it:
// else a stranger's frames would go to who has the list.
func TestANumberStaysAsLongAsAList(t *testing.T) {
	chans := someRooms(1, 3)
	a, b, c := chans[0], chans[1], chans[2]
	numbers := NewNumbers(1)
	mine := numbers.Rooms([]*cache.Channel{a})
	shards := numbers.Hold(mine)
	numbers.Release(mine) // the session manager has forgotten the user, a shard has not
	others := numbers.Rooms([]*cache.Channel{b})
	if !numbers.Has(shards, a) || numbers.Has(shards, b) {
		t.Fatal("a list that is held has another room in it")
	}
	numbers.Release(shards)
	again := numbers.Rooms([]*cache.Channel{c})
	if again.list != mine.list || !numbers.Has(again, c) || !numbers.Has(others, b) {
		t.Error("a number that nobody has was not used again")
	}
}

func TestReleasingTwiceIsNoticed(t *testing.T) {
	numbers := NewNumbers(1)
	list := numbers.Rooms(someRooms(1, 1))
	numbers.Release(list)
	defer func() {
		if recover() == nil {
			t.Error("a list was released twice, and nobody noticed")
		}
	}()
	numbers.Release(list)
}

// Lists are read without a lock while others are made. What is read wrongly the
// race detector sees.
func TestRoomsAreReadWhileOthersCome(t *testing.T) {
	chans := someRooms(4, 4*pageSize)
	numbers := NewNumbers(4)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := g; i+20 < len(chans); i += 7 {
				list := numbers.Rooms(slices.Clone(chans[i : i+20]))
				n := 0
				for ch := range numbers.All(list) {
					if slices.Contains(chans[i:i+20], ch) {
						n++
					}
				}
				if n != 20 {
					t.Errorf("%d of 20 rooms are in the list", n)
				}
				if i%2 == g%2 {
					numbers.Release(list)
				}
			}
		})
	}
	wg.Wait()
}

// Of the memory that a list is made in, nothing is left but the list.
func TestAListIsOneAllocation(t *testing.T) {
	chans := someRooms(16, 30)
	numbers := NewNumbers(16)
	numbers.Rooms(chans) // all have a number
	found := true
	if n := testing.AllocsPerRun(100, func() {
		list := numbers.Hold(numbers.Rooms(chans))
		for ch := range numbers.All(list) {
			found = found && numbers.Has(list, ch)
		}
		numbers.Release(list)
		numbers.Release(list)
	}); n > 1 || !found {
		t.Errorf("%v allocations", n)
	}
}

// Rooms that are held for a session that never begins are released.
func TestAStartThatComesTooLateKeepsNothing(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		gone := r.connect(wire.JSON)
		_ = gone.nc.Close()
		pass(1)
		r.begin(gone, &Start{User: "ann", Rooms: r.rooms(r.hold(room(0, 0)))})
		pass(1)
		if n := r.e.numbers.Len(); n > 0 {
			t.Errorf("%d rooms have a number for nobody", n)
		}
	})
}

// How long it takes to look through a user's rooms.
func BenchmarkRooms(b *testing.B) {
	const logs = 16
	for _, n := range []int{20, 1000} {
		numbers := NewNumbers(logs)
		chans := someRooms(logs, 2000)
		numbers.Rooms(slices.Clone(chans)) // all have a number
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(chans), func(i, j int) { chans[i], chans[j] = chans[j], chans[i] })
		list := numbers.Rooms(slices.Clone(chans[:n]))
		b.Run(fmt.Sprintf("%d/Rooms", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				numbers.Release(numbers.Rooms(chans[:n]))
			}
		})
		b.Run(fmt.Sprintf("%d/All", n), func(b *testing.B) {
			for b.Loop() {
				for ch := range numbers.All(list) {
					_ = ch
				}
			}
		})
		b.Run(fmt.Sprintf("%d/Of", n), func(b *testing.B) {
			for b.Loop() {
				for ch := range numbers.Of(list, 3) {
					_ = ch
				}
			}
		})
		b.Run(fmt.Sprintf("%d/Hold", n), func(b *testing.B) {
			for b.Loop() {
				numbers.Release(numbers.Hold(list))
			}
		})
		b.Logf("%d rooms in %d bytes", n, len(list.list))
	}
}
