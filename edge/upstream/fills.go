package upstream

import (
	"context"

	"golang.org/x/sync/errgroup"

	"selvedge/wire"
)

// fills asks for many channels: each core for those of the logs that it serves,
// for it has them as far as we do, all at once. Any core has the frames, but
// another may be a moment behind, and would fail the whole question.
func (u *Upstream) fills(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	if len(q.Afters) != len(q.Chs) || len(q.Uptos) != len(q.Chs) {
		return u.ask(ctx, q) // the core says what is wrong
	}
	parts := u.parts(q)
	if len(parts) == 1 {
		return u.ask(ctx, q)
	}
	out := &wire.Answer{Fills: make([]wire.Fill, len(q.Chs))}
	answers := make([]*wire.Answer, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	for i, part := range parts {
		g.Go(func() (err error) {
			answers[i], err = u.ask(ctx, only(q, part))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, a := range answers {
		switch {
		case a.Err != nil:
			return a, nil
		case len(a.Fills) != len(parts[i]) || i > 0 && a.Epoch != out.Epoch:
			return nil, ErrUnavailable
		}
		out.Epoch = a.Epoch
		for j, at := range parts[i] {
			out.Fills[at] = a.Fills[j]
		}
	}
	return out, nil
}

// parts are the places of a fill's channels, by the link that they are asked by.
func (u *Upstream) parts(q *wire.Query) [][]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := map[*session]int{}
	var out [][]int
	for i, ch := range q.Chs {
		s := u.askLocked(&wire.Query{T: wire.QHistory, Ch: ch}).s
		n, ok := of[s]
		if !ok {
			n = len(out)
			of[s] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], i)
	}
	return out
}

// only is a fill of some of q's channels.
func only(q *wire.Query, places []int) *wire.Query {
	part := *q
	part.Chs, part.Afters, part.Uptos = nil, nil, nil
	for _, i := range places {
		part.Chs = append(part.Chs, q.Chs[i])
		part.Afters = append(part.Afters, q.Afters[i])
		part.Uptos = append(part.Uptos, q.Uptos[i])
	}
	return &part
}
