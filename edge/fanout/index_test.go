package fanout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/wire"
)

// The index against a plain one: users come and go, join and leave, and each
// channel's frames go to its members' sockets, once each, and to nobody else.
func TestIndexAgainstAPlainOne(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		c := cache.New(rigLogs, 1<<20)
		e := New(Config{Loops: []transport.Loop{&sink{}}, Logs: rigLogs}, make([]wire.Seq, rigLogs))
		s := e.shards[0]
		var chans []*cache.Channel
		for i := range 6 {
			ch, _ := c.Acquire(wire.RoomChannel(wire.RoomID(fmt.Sprint("r", i))))
			chans = append(chans, ch)
		}
		plain := map[*cache.Channel]map[wire.UserID]bool{}
		sockets := map[wire.UserID][]*Socket{}
		most := 0
		for range 2000 {
			id := wire.UserID(fmt.Sprint("u", rnd.IntN(30)))
			ch := chans[rnd.IntN(len(chans))]
			in := plain[ch][id]
			switch u := s.users.Get(id); {
			case u == nil || rnd.IntN(8) == 0: // a socket comes
				k := &Socket{shard: s, state: running}
				var rooms []*cache.Channel
				if u == nil {
					rooms = pick(rnd, chans)
					for _, r := range rooms {
						set(plain, r, id, true)
					}
				}
				s.addUser(id, s.numbers.Rooms(rooms)).attach(k)
				sockets[id] = append(sockets[id], k)
			case rnd.IntN(3) == 0: // one goes
				k := sockets[id][rnd.IntN(len(sockets[id]))]
				s.endSession(k)
				if sockets[id] = slices.DeleteFunc(sockets[id], func(x *Socket) bool { return x == k }); len(sockets[id]) == 0 {
					for _, r := range chans {
						set(plain, r, id, false)
					}
				}
			case in:
				s.removeMember(ch, u)
				set(plain, ch, id, false)
			default:
				s.addMember(ch, u)
				set(plain, ch, id, true)
			}
			most = max(most, s.users.Len())
			for _, ch := range chans {
				got := map[*Socket]int{}
				s.each(ch, func(k *Socket) { got[k]++ })
				want := 0
				for id := range plain[ch] {
					for _, k := range sockets[id] {
						if want++; got[k] != 1 {
							t.Fatalf("seed %d: a socket of %s gets %s %d times", seed, id, ch.Name, got[k])
						}
					}
				}
				if len(got) != want {
					t.Fatalf("seed %d: %d sockets get %s, want %d", seed, len(got), ch.Name, want)
				}
			}
		}
		for _, list := range sockets {
			for _, k := range list {
				s.endSession(k)
			}
		}
		if len(s.index) != 0 || s.users.Len() != 0 || len(s.freeSlots) != len(s.slots) {
			t.Errorf("seed %d: %d audiences, %d users, %d of %d slots are kept when all are gone", seed, len(s.index), s.users.Len(), len(s.slots)-len(s.freeSlots), len(s.slots))
		}
		if n := s.numbers.Len(); n > 0 {
			t.Errorf("seed %d: %d rooms have a number when all are gone", seed, n)
		}
		if len(s.slots) > 3*most {
			t.Errorf("seed %d: %d slots for at most %d users", seed, len(s.slots), most)
		}
	}
}

func pick(rnd *rand.Rand, from []*cache.Channel) (out []*cache.Channel) {
	for _, ch := range from {
		if rnd.IntN(2) == 0 {
			out = append(out, ch)
		}
	}
	return out
}

func set(m map[*cache.Channel]map[wire.UserID]bool, ch *cache.Channel, id wire.UserID, in bool) {
	if m[ch] == nil {
		m[ch] = map[wire.UserID]bool{}
	}
	if m[ch][id] = in; !in {
		delete(m[ch], id)
	}
}

// A user who is gone leaves its number behind in the rooms until they are
// swept; nobody else gets it before.
func TestANumberIsNotGivenAwayTooEarly(t *testing.T) {
	c := cache.New(rigLogs, 1<<20)
	ch, _ := c.Acquire(room(0, 0))
	e := New(Config{Loops: []transport.Loop{&sink{}}, Logs: rigLogs}, make([]wire.Seq, rigLogs))
	s := e.shards[0]
	var members []*Socket
	for i := range 20 {
		k := &Socket{shard: s, state: running}
		s.addUser(wire.UserID(fmt.Sprint("u", i)), s.numbers.Rooms([]*cache.Channel{ch})).attach(k)
		members = append(members, k)
	}
	s.endSession(members[0])
	if s.index[ch].gone != 1 {
		t.Fatal("one that is gone was swept at once")
	}
	stranger := &Socket{shard: s, state: running}
	s.addUser("stranger", Rooms{}).attach(stranger)
	s.each(ch, func(k *Socket) {
		if k == stranger || k == members[0] {
			t.Error("who isn't a member gets the room's frames")
		}
	})
}

// What an idle session keeps in its shard.
func TestIdleSocketIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Socket{}); n > 80 {
		t.Errorf("a Socket has %d bytes", n)
	}
	if n := unsafe.Sizeof(user{}); n > 64 {
		t.Errorf("a user has %d bytes", n)
	}
	if n := unsafe.Sizeof(audience{}); n > 48 { // one in each shard for each room
		t.Errorf("an audience has %d bytes", n)
	}
}
