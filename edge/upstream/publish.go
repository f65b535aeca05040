package upstream

import (
	"context"
	"time"

	"selvedge/wire"
)

// refusal is how long publishes pass over a core that could not append. One that
// is cut from the majority of the log's copies can't for as long as that lasts, and
// each publish would wait there in vain.
const refusal = 10 * time.Second

// publish asks the nearest core that can append. One that says that it can't is
// passed over for a while, and if the publish has an idempotency id, so that it is
// done once whoever had it, the next core is asked.
func (u *Upstream) publish(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	for {
		u.mu.Lock()
		s := u.appenderLocked(time.Now())
		u.mu.Unlock()
		a, err := u.ask(ctx, q)
		if err != nil || a.Err == nil || a.Err.Code != wire.Unavailable || s == nil {
			return a, err
		}
		u.mu.Lock()
		s.n.refused = time.Now()
		next := u.appenderLocked(s.n.refused)
		again := q.MsgID != "" && next != nil && next.n.refused.Before(s.n.refused.Add(-refusal))
		u.mu.Unlock()
		if !again {
			return a, nil
		}
	}
}

// appenderLocked is the nearest link to a core that has not refused a publish of
// late, or the nearest of all; nil if there is none.
func (u *Upstream) appenderLocked(now time.Time) *session {
	for _, s := range u.sessionsLocked() {
		if !s.asked && !s.n.target.Relay && now.Sub(s.n.refused) >= refusal {
			return s
		}
	}
	return u.nearestLocked()
}
