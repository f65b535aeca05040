package roster

import (
	"fmt"
	"syscall"
	"testing"

	"selvedge/wire"
)

func BenchmarkLoad(b *testing.B) {
	a := team(100_000)
	var pages []*wire.Answer
	for i := 0; i < len(a.Members); i += wire.MaxRoster {
		pages = append(pages, &wire.Answer{V: 1, Members: a.Members[i : i+wire.MaxRoster], Names: a.Names[i : i+wire.MaxRoster]})
	}
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		s := alone()
		s.fill("general", pages...)
	}
}

// cpu reports the processor's time beside that of the clock: the machine may be
// busy with something else.
func cpu(b *testing.B) (report func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	began := used()
	return func() { b.ReportMetric(float64(used()-began)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkSearch(b *testing.B) {
	s := alone()
	a := team(32_000)
	s.fill("general", a)
	var rooms []wire.RoomID
	for i := range 100 {
		room := wire.RoomID(fmt.Sprint("r", i))
		part := &wire.Answer{V: 1, Members: a.Members[i*300 : i*300+300], Names: a.Names[i*300 : i*300+300]}
		s.fill(room, part)
		rooms = append(rooms, room)
	}
	for _, in := range []struct {
		name  string
		rooms []wire.RoomID
	}{{"one", []wire.RoomID{"general"}}, {"hundred", append(rooms, "general")}, {"small", rooms[:20]}} {
		for _, prefix := range []string{"", "a", "an", "ann", "sm", "smi", "u00", "u", "u0000017", "zzz"} {
			b.Run(fmt.Sprintf("%s/%q", in.name, prefix), func(b *testing.B) {
				defer cpu(b)()
				for b.Loop() {
					if _, _, err := s.Search(b.Context(), in.rooms, prefix, 20); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
