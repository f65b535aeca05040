package log

import (
	"context"
	"errors"

	"selvedge/wire"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many gets of one ReadAt are under way at most.
const atOnce = 16

// ReadAt returns the records of log p at these positions, in their order,
// without those that the log has not, or no more. It takes a get for each: that
// is quicker than a scan for few records that lie far apart.
func (s *Store) ReadAt(ctx context.Context, p wire.LogID, seqs []wire.Seq) ([]Stored, error) {
	got := make([]Stored, len(seqs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, seq := range seqs {
		if seq == 0 {
			continue
		}
		g.Go(func() error {
			records, err := s.get(ctx, p, getRequest{Seq: seq})
			if errors.Is(err, errNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			got[i], err = store(p, records[0].seq, records[0].data)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := got[:0]
	for i, st := range got {
		if st.Seq == seqs[i] && st.Seq > 0 {
			out = append(out, st)
		}
	}
	return out, nil
}
