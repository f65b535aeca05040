package roster

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// nobody is an Upstream that is never asked.
type nobody struct{ Upstream }

func (nobody) Want(wire.LogID, ...upstream.Want) {}
func (nobody) Drop(wire.LogID, ...wire.Key)      {}

func alone() *Rosters {
	return New(Config{Upstream: nobody{}, Budget: 1 << 40, Logger: slog.New(slog.DiscardHandler)})
}

// team is a page of n members with names as people have them.
func team(n int) *wire.Answer {
	sounds := strings.Fields("an jo ma wei ol pa fa lar ken zoë san mi ru to el gar smi jon zha iva mül kha ber dro va lin hes ko tan sté")
	word := func(h uint32) string {
		w := ""
		for range 2 + h%2 {
			h = h*2654435761 + 12345
			w += sounds[h>>16%uint32(len(sounds))]
		}
		return strings.ToUpper(w[:1]) + w[1:]
	}
	a := &wire.Answer{V: 1, MemberCount: n}
	for i := range n {
		a.Members = append(a.Members, wire.UserID(fmt.Sprintf("u%07d", i)))
		h := uint32(i) * 2654435761 // as good as random
		a.Names = append(a.Names, wire.Name{V: 1, Name: word(h>>4%300) + " " + word(h>>12%2000)})
	}
	return a
}

// fill makes a room whole, with all names sure.
func (s *Rosters) fill(id wire.RoomID, pages ...*wire.Answer) {
	s.mu.Lock()
	r := s.newRoomLocked(id, 1)
	l := &load{journal: map[wire.UserID]change{}}
	r.live, r.load = true, l
	s.flushLocked()
	s.mu.Unlock()
	for _, a := range pages {
		s.page(r, l, a)
	}
	s.mu.Lock()
	r.load, r.whole = nil, true
	for _, u := range s.users {
		s.sureLocked(u)
	}
	s.flushLocked()
	s.mu.Unlock()
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The budget is kept in what Bytes says: it must be what the heap has.
func TestBytesAreThoseOfTheHeap(t *testing.T) {
	tests := map[string]func(s *Rosters){
		"counts": func(s *Rosters) {
			for i := range 50_000 {
				s.Seed(wire.RoomID(fmt.Sprintf("room-%06d", i)), i, 1)
			}
		},
		"one whole room": func(s *Rosters) { s.fill("general", team(40_000)) },
		"small whole rooms of the same users": func(s *Rosters) {
			for i := range 2000 {
				a := team(20)
				for n := range a.Members {
					a.Members[n] = wire.UserID(fmt.Sprintf("u%07d", (i*7+n)%4000))
				}
				s.fill(wire.RoomID(fmt.Sprintf("room-%06d", i)), a)
			}
		},
		"witnesses": func(s *Rosters) {
			s.Seed("general", 40_000, 1)
			s.mu.Lock()
			defer s.mu.Unlock()
			for i := range 40_000 {
				s.witnessLocked("general", wire.UserID(fmt.Sprintf("u%07d", i)), 1)
			}
			s.flushLocked()
		},
		"half of them gone": func(s *Rosters) {
			s.fill("general", team(40_000))
			for i := range 20_000 {
				s.Record(&wire.StateRecord{Kind: wire.StateMember, Room: "general", User: wire.UserID(fmt.Sprintf("u%07d", 2*i)), Deleted: true, V: wire.Seq(2 + i)})
			}
		},
	}
	for name, fill := range tests {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := alone()
			fill(s)
			grown := heap() - before
			users, pairs := len(s.users), 0
			for _, u := range s.users {
				pairs += len(u.rooms)
			}
			t.Logf("%d rooms, %d users, %d pairs: %d bytes on the heap, %d accounted", s.rooms.Len(), users, pairs, grown, s.Bytes())
			if off := s.Bytes() - grown; off > grown/5 || off < -grown/5 {
				t.Errorf("%d bytes are accounted, the heap has %d", s.Bytes(), grown)
			}
			runtime.KeepAlive(s)
		})
	}
}
