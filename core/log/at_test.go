package log_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

func TestReadAtReturnsWhatIsThere(t *testing.T) {
	s := open(t, corelog.Config{Dir: t.TempDir(), Logs: 1, MaxBytes: 20_000})
	data := strings.Repeat("x", 1000)
	for i := range 50 {
		if _, err := s.Publish(t.Context(), "key", post(wire.Channel(fmt.Sprint("room:", i)), data)); err != nil {
			t.Fatal(err)
		}
	}
	floor := s.Floor(0)
	if floor < 20 || floor > 40 {
		t.Fatalf("the log begins after %d", floor)
	}
	got, err := s.ReadAt(t.Context(), 0, []wire.Seq{50, 3, floor, floor + 1, 45, 51, 1 << 40, 44, 0})
	if err != nil {
		t.Fatal(err)
	}
	var seqs []wire.Seq
	for _, st := range got {
		seqs = append(seqs, st.Seq)
		if b, err := wire.ParseBody(st.Body); err != nil || b.Ch != wire.Channel(fmt.Sprint("room:", st.Seq-1)) {
			t.Errorf("at %d is a frame of %s, %v", st.Seq, b.Ch, err)
		}
	}
	if want := []wire.Seq{50, floor + 1, 45, 44}; fmt.Sprint(seqs) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", seqs, want)
	}
	if got, err := s.ReadAt(t.Context(), 0, nil); err != nil || len(got) != 0 {
		t.Errorf("of no positions %v, %v", got, err)
	}
}

// BenchmarkSparse: the newest n frames of one of many channels, by a scan and by
// their positions, in 300,000 frames of 1 KiB.
func BenchmarkSparse(b *testing.B) {
	for _, channels := range []int{300, 10_000} {
		s := open(b, corelog.Config{Dir: b.TempDir(), Logs: 1})
		places := sparse(b, s, channels, 300_000)
		r := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{1, 5, 25} {
			for name, read := range map[string]func(ch wire.Channel, seqs []wire.Seq) ([]corelog.Stored, error){
				"newest": func(ch wire.Channel, _ []wire.Seq) ([]corelog.Stored, error) {
					frames, _, err := s.ReadBefore(b.Context(), ch, s.End(0)+1, n, 1<<20)
					return frames, err
				},
				"oldest": func(ch wire.Channel, seqs []wire.Seq) ([]corelog.Stored, error) {
					frames, _, err := s.ReadChannel(b.Context(), ch, seqs[0]-1, s.End(0), n, 1<<20)
					return frames, err
				},
				"at": func(_ wire.Channel, seqs []wire.Seq) ([]corelog.Stored, error) {
					return s.ReadAt(b.Context(), 0, seqs)
				},
			} {
				b.Run(fmt.Sprintf("channels=%d/n=%d/%s", channels, n, name), func(b *testing.B) {
					for b.Loop() {
						i := r.IntN(channels)
						seqs := places[i][len(places[i])-n:]
						if frames, err := read(sparseChannel(i), seqs); err != nil || len(frames) != n || frames[0].Seq != seqs[0] {
							b.Fatal(len(frames), err)
						}
					}
				})
			}
		}
	}
}

func sparseChannel(i int) wire.Channel { return wire.Channel(fmt.Sprint("room:", i)) }

// sparse publishes frames of many channels in turn, and returns their positions.
func sparse(b *testing.B, s *corelog.Store, channels, frames int) [][]wire.Seq {
	places := make([][]wire.Seq, channels)
	data := strings.Repeat("x", 1024)
	var g errgroup.Group
	for c := range 200 {
		g.Go(func() error {
			for range frames / channels {
				for i := c; i < channels; i += 200 {
					placed, err := s.Publish(b.Context(), "key", post(sparseChannel(i), data))
					if err != nil {
						return err
					}
					places[i] = append(places[i], placed.Seq)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return places
}
