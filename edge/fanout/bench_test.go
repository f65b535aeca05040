package fanout

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/wire"
)

// sink is a loop of conns that take everything: what is measured is the shard.
// It runs nothing by itself; the benchmark calls the shard.
type sink struct{ conns []*newConn }

type newConn struct {
	early []byte
	data  any
}

func (l *sink) Run(context.Context, transport.Handler) error { return nil }
func (l *sink) Wake()                                        {}
func (l *sink) Len() int                                     { return len(l.conns) }
func (l *sink) Add(_ net.Conn, early []byte, data any) error {
	l.conns = append(l.conns, &newConn{early, data})
	return nil
}

// crowd is a shard with n sockets of n users in one room; what is written to
// them is taken at once.
func crowd(b *testing.B, n int) (*shard, *cache.Channel, *cache.Cache) {
	b.Helper()
	c := cache.New(rigLogs, 1<<20)
	ch, _ := c.Acquire(room(0, 0))
	ch.SetLive(0)
	e := New(Config{
		Loops: []transport.Loop{&sink{}}, Logs: rigLogs,
		Fill: func(*cache.Channel, wire.Seq) {},
	}, make([]wire.Seq, rigLogs))
	s := e.shards[0]
	for i := range n {
		k := &Socket{shard: s, form: cache.FormOf(wire.Codec(i%int(wire.Codecs)), false), state: running}
		s.addUser(wire.UserID(fmt.Sprint("u", i)), s.numbers.Rooms([]*cache.Channel{ch})).attach(k)
		s.wheel.add(k)
	}
	return s, ch, c
}

// taken is the flush of a socket that takes everything.
func (s *shard) taken() {
	for i, k := range s.dirty {
		s.dirty[i] = nil
		k.flags &^= dirty
		k.out.consume(k.out.pending)
		s.giveOutbox(k.out)
		k.out = nil
	}
	s.dirty = s.dirty[:0]
}

// One frame to 1,000 sockets, both codecs.
func BenchmarkPublish(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkPublish(b, 1000, 1, "", nil) })
	// Each frame refers to users whose objects all sessions have.
	b.Run("author", func(b *testing.B) { benchmarkPublish(b, 1000, 1, "u1", nil) })
	b.Run("author and 3 refs", func(b *testing.B) { benchmarkPublish(b, 1000, 1, "u1", []string{"u2", "u3", "u4"}) })
	// More sockets than a processor's nearest cache has room for.
	b.Run("10k/plain", func(b *testing.B) { benchmarkPublish(b, 10_000, 1, "", nil) })
	b.Run("10k/author", func(b *testing.B) { benchmarkPublish(b, 10_000, 1, "u1", nil) })
}

// Frames of a room that 999 of 1,000 sockets have out of focus.
func BenchmarkPublishOutOfFocus(b *testing.B) { benchmarkPublish(b, 1000, 1000, "", nil) }

// benchmarkPublish publishes frames of one room to sockets; shown is of how many
// one has it in focus.
func benchmarkPublish(b *testing.B, sockets, shown int, author string, refs []string) {
	s, ch, c := crowd(b, sockets)
	getting := 0
	for k := range s.wheel.sockets() {
		if getting++; shown > 1 && getting > sockets/shown {
			k.more().focus = newFocus(nil, nil, make([]wire.Seq, rigLogs))
		}
	}
	var objects []Object
	for i := range 1 + len(refs) {
		objects = append(objects, &doc{id: uint32(i), packets: Packets{{0x82, 0}, {0x81, 0}}})
	}
	s.e.cfg.Objects = func(dst []Object, _ *cache.Frame) []Object { return append(dst, objects...) }
	post := wire.AppendBody(nil, &wire.Post{Ch: ch.Name, TS: 1, From: author, Refs: refs, Data: append([]byte{0xda, 1, 0}, make([]byte, 256)...)})
	seq := wire.Seq(0)
	publish := func() {
		seq++
		f, err := cache.ParseFrame(wire.AppendFrame(nil, 0, seq, seq-1, post))
		if err != nil {
			b.Fatal(err)
		}
		s.publish(&Batch{P: 0, Frames: c.Log(0).Append([]*cache.Frame{f}, seq), Upto: seq})
	}
	publish()
	s.taken()
	b.ReportAllocs()
	for b.Loop() {
		publish()
		if len(s.dirty) != max(sockets/shown, 1) {
			b.Fatalf("%d sockets got it", len(s.dirty))
		}
		s.taken()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(sockets), "ns/delivery")
}

// 10,000 members leave one room.
func BenchmarkLeave(b *testing.B) {
	const members = 10_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s, ch, _ := crowd(b, members)
		users := make([]*user, 0, members)
		for u := range s.users.All() {
			users = append(users, u)
		}
		b.StartTimer()
		for _, u := range users {
			s.leave(u.id, ch, Packets{})
		}
		if len(s.index) != 0 {
			b.Fatal("members are left")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/leave")
}

// What a shard keeps for an idle session of a user in 20 rooms, without the
// transport's part and what the session manager keeps.
func BenchmarkIdleSocket(b *testing.B) {
	const sockets = 10_000
	c := cache.New(rigLogs, 1<<20)
	rooms := make([]*cache.Channel, 20)
	for i := range rooms {
		rooms[i], _ = c.Acquire(wire.RoomChannel(wire.RoomID(fmt.Sprint("r", i))))
	}
	var perSocket float64
	for b.Loop() {
		e := New(Config{Loops: []transport.Loop{&sink{}}, Logs: rigLogs}, make([]wire.Seq, rigLogs))
		s := e.shards[0]
		ids := make([]wire.UserID, sockets)
		for i := range ids {
			ids[i] = wire.UserID(fmt.Sprint("u", i))
		}
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for _, id := range ids {
			k := &Socket{shard: s, state: running}
			s.addUser(id, s.numbers.Rooms(rooms)).attach(k)
			s.wheel.add(k)
		}
		perSocket = float64(heap()-before) / sockets
		runtime.KeepAlive(s)
	}
	b.ReportMetric(perSocket, "B/socket")
}
