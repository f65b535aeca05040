package bench

import (
	"context"
	"fmt"
	"slices"
)

// sample is what a side made of one dose.
type sample struct {
	cpu        float64 // us per delivery, of all servers
	edge, core float64 // us, of ours
	last       float64 // ms from the beginning of a round to its last receipt; the median of the rounds
	rate       float64 // deliveries/s
	bytes      float64 // per frame, with its header
}

// dose is what each side gets by turns: rounds, one after the other, of frames
// to each of the sockets.
type dose struct {
	rounds, frames, sockets int
}

// turn is a side, and where its samples go.
type turn struct {
	side side
	to   *[]sample
}

// pairs gives all sides a dose by turns, so many times after one that isn't
// counted. What is sent to one side is sent to the others, too.
func (r *rig) pairs(ctx context.Context, what string, d dose, n int, turns ...turn) error {
	for pair := range n + 1 {
		if pair == 0 {
			r.progress("%s: warming up", what)
		} else {
			r.progress("%s: pair %d of %d", what, pair, n)
		}
		for _, t := range turns {
			s, err := r.sample(ctx, t.side, d, pair*d.rounds*d.frames)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", t.side.group, what, err)
			}
			if pair > 0 {
				*t.to = append(*t.to, s)
			}
		}
	}
	return nil
}

// sample gives a side a dose, of the texts from number first on.
func (r *rig) sample(ctx context.Context, s side, d dose, first int) (sample, error) {
	if err := s.prepare(ctx, first, d.rounds*d.frames); err != nil {
		return sample{}, err
	}
	before, err := r.usage()
	if err != nil {
		return sample{}, err
	}
	var out sample
	var last []float64
	var seconds float64
	for i := range d.rounds {
		o, err := r.round(ctx, s, d.sockets, i*d.frames, d.frames)
		if err != nil {
			return sample{}, err
		}
		last = append(last, o.took.Seconds()*1e3)
		seconds += o.took.Seconds()
		out.bytes += float64(o.bytes)
	}
	if err := settle(ctx, quiet); err != nil {
		return sample{}, err
	}
	now, err := r.usage()
	if err != nil {
		return sample{}, err
	}
	n := d.rounds * d.frames * d.sockets
	used := now.since(before)
	if s.group == bare {
		out.cpu = micros(used.floor, n)
	} else {
		out.edge, out.core = micros(used.edge, n), micros(used.core, n)
		out.cpu = out.edge + out.core
	}
	slices.Sort(last)
	out.last, out.rate = median(last), float64(n)/seconds
	out.bytes /= float64(n)
	return out, nil
}

// each is a figure of each sample.
func each[S any](samples []S, figure func(S) float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = figure(s)
	}
	return out
}
