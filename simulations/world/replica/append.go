package replica

import (
	"context"
	"fmt"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

const (
	// patience is how long an append, or a question to a leader, goes on.
	patience = 5 * time.Second
	// again paces the tries of what can't be done now.
	again = 50 * time.Millisecond
)

// Publish is core/log's Store.Publish.
func (s *Store) Publish(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error) {
	placed := corelog.Placed{P: wire.LogOf(post.Ch, s.Logs())}
	r := record{ch: post.Ch, body: wire.AppendBody(nil, post)}
	if post.MsgID != "" {
		r.id = fmt.Sprintf("%q %q %q", post.Ch, publisher, post.MsgID)
	}
	var err error
	placed.Seq, err = s.append(ctx, placed.P, func(lg *sharedLog) (wire.Seq, error) {
		first := lg.ids[r.id]
		if first == 0 {
			return lg.putLocked(r), nil
		}
		placed.Duplicate = true
		if was, err := wire.ParseBody(lg.records[first-1].body); err != nil || !was.Same(post) {
			return 0, corelog.ErrIDReused
		}
		return first, nil
	})
	return placed, err
}

// AppendState is core/log's Store.AppendState.
func (s *Store) AppendState(ctx context.Context, items []corelog.StateAppend) []corelog.StateResult {
	results := make([]corelog.StateResult, len(items))
	for i := range items {
		r := items[i].Record
		if results[i].Err = r.Check(); results[i].Err != nil {
			continue
		}
		results[i].Seq, results[i].Err = s.append(ctx, wire.StateLog, func(lg *sharedLog) (wire.Seq, error) {
			if lg.keys[r.Key()] != items[i].Expect {
				return 0, corelog.ErrConflict
			}
			r.V = wire.Seq(len(lg.records)) + 1
			return lg.putLocked(record{state: &r}), nil
		})
	}
	return results
}

// append has put done once, at the leader, when one other core has it, too. An
// ErrUnavailable says that the outcome is unknown.
func (s *Store) append(ctx context.Context, p wire.LogID, put func(*sharedLog) (wire.Seq, error)) (wire.Seq, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		leader, second, there, ok := s.c.route(s.core, p)
		if ok {
			if err := s.sleep(ctx, there); err != nil {
				return 0, err
			}
			seq, done, err := s.c.commit(leader, second, p, put)
			if done {
				if lost := s.answer(ctx, leader); lost != nil {
					return 0, lost
				}
				s.advance(p, seq)
				return seq, err
			}
		}
		if err := s.sleep(ctx, again); err != nil {
			return 0, err
		}
	}
}

// route is the way of an append: the leader of a log, the core that has it
// second, and how long it takes until the leader knows that.
func (c *Cluster) route(from int, p wire.LogID) (leader, second int, takes time.Duration, ok bool) {
	w := c.look()
	leader = c.Leader(p)
	if !w[from][leader] || !w.majority(leader) {
		return 0, 0, 0, false
	}
	host := c.cfg.Hosts[leader]
	nearest := time.Duration(-1)
	for k := range c.cfg.Hosts {
		if d, _ := c.cfg.Net.Way(host, c.cfg.Hosts[k]); k != leader && w[leader][k] && (nearest < 0 || d < nearest) {
			second, nearest = k, d
		}
	}
	there, _ := c.cfg.Net.Way(c.cfg.Hosts[from], host)
	return leader, second, there + 2*nearest, true
}

// commit does it, if the leader still leads, and hears the second one.
func (c *Cluster) commit(leader, second int, p wire.LogID, put func(*sharedLog) (wire.Seq, error)) (seq wire.Seq, done bool, err error) {
	w := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	lg := c.logs[c.index(p)]
	if lg.leader != leader || !w[leader][second] {
		return 0, false, nil
	}
	seq, err = put(lg)
	c.raiseLocked(lg, leader, wire.Seq(len(lg.records)))
	c.raiseLocked(lg, second, wire.Seq(len(lg.records)))
	return seq, true, err
}

// answer is the leader's word on its way here.
func (s *Store) answer(ctx context.Context, leader int) error {
	takes, open := s.c.cfg.Net.Way(s.c.cfg.Hosts[leader], s.c.cfg.Hosts[s.core])
	if !open {
		<-ctx.Done()
		return unavailable(errCut)
	}
	return s.sleep(ctx, takes)
}
