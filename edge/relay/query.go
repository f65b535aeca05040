package relay

import (
	"context"
	"errors"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// queryTimeout bounds a question that is passed on.
const queryTimeout = 8 * time.Second

// Query implements link.Source: what is in the tail is answered from there, the rest
// is asked of the core, for the sibling.
func (r *Relay) Query(ctx context.Context, _ string, q *wire.Query, applied wire.Seq) *wire.Answer {
	q.V, q.P, q.Marker, q.Space = max(q.V, applied), 0, 0, nil
	switch {
	case q.T == wire.QGet && q.User == "":
		return r.cfg.Documents(ctx, q.Keys)
	case q.T == wire.QHot:
		return &wire.Answer{Epoch: r.Epoch(), Keys: r.cfg.Hot(min(max(q.Limit, 0), wire.MaxPage))}
	}
	if q.T == wire.QFill && len(q.Afters) == len(q.Chs) && len(q.Uptos) == len(q.Chs) {
		return r.fill(ctx, q)
	}
	return r.pass(ctx, q)
}

// pass asks the core.
func (r *Relay) pass(ctx context.Context, q *wire.Query) *wire.Answer {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	a, err := r.cfg.Upstream.Query(ctx, q)
	if err != nil {
		message := "the relay has no link to a core"
		if !errors.Is(err, upstream.ErrUnavailable) {
			message = err.Error()
		}
		return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: message}}
	}
	return a
}

// fill answers from the tails what they have whole, and asks the core for the rest.
func (r *Relay) fill(ctx context.Context, q *wire.Query) *wire.Answer {
	out := &wire.Answer{Epoch: r.Epoch(), Fills: make([]wire.Fill, len(q.Chs))}
	rest := *q
	rest.Chs, rest.Afters, rest.Uptos = nil, nil, nil
	var places []int
	for i, ch := range q.Chs {
		if fill, ok := r.held(ch, q.Afters[i], q.Uptos[i], q.Bytes); ok {
			out.Fills[i] = fill
			continue
		}
		places = append(places, i)
		rest.Chs, rest.Afters, rest.Uptos = append(rest.Chs, ch), append(rest.Afters, q.Afters[i]), append(rest.Uptos, q.Uptos[i])
	}
	if len(places) == 0 {
		return out
	}
	a := r.pass(ctx, &rest)
	switch {
	case a.Err != nil:
		return a
	case len(a.Fills) != len(places) || a.Epoch != out.Epoch:
		return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "the logs are changing"}}
	}
	for j, i := range places {
		out.Fills[i] = a.Fills[j]
	}
	return out
}

// fillBytes is the most that one channel's fill from a tail may take.
const fillBytes = 1 << 20

// held is the fill of a channel from its log's tail, if that has all of it.
func (r *Relay) held(ch wire.Channel, after, upto wire.Seq, room int) (wire.Fill, bool) {
	fill := wire.Fill{Ch: ch, Floor: after, Upto: upto}
	if ch.Check() != nil || after > upto {
		return fill, false // the core says what is wrong
	}
	lg := r.log(wire.LogOf(ch, max(r.Logs(), 1)))
	if lg == nil {
		return fill, false
	}
	records, ok := lg.sel(wire.FramesKey(ch), after, upto)
	if room <= 0 {
		room = fillBytes
	}
	for _, rec := range records {
		room -= len(rec.Bytes)
		f, err := wire.ParseFrame(rec.Bytes)
		if err != nil {
			return fill, false
		}
		if f.Ch == ch { // else the hash's twin
			fill.Frames = append(fill.Frames, wire.Data(rec.Bytes))
		}
	}
	return fill, ok && room >= 0
}

// sel is the records of an interest in (after, upto], if they are all here.
func (lg *log) sel(k wire.Key, after, upto wire.Seq) (out []tail.Record, ok bool) {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	if e := lg.keys[k]; lg.tail == nil || e == nil || after < e.live {
		return nil, false
	}
	out, ok = lg.tail.Select(nil, k, after, upto)
	return out, ok
}
