package session

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
	"selvedge/wire"
)

// Who drains an edge knows the team of each session, by its newest token.
func TestASessionsTeam(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		r.m.cfg.Verify = func(ctx context.Context, token string) (identity.Claims, error) {
			user, team, _ := strings.Cut(token, "@")
			c, err := verify(ctx, user)
			c.Team = team
			return c, err
		}
		one, two, none, silent := r.hello("u1@red", ""), r.hello("u2@red", ""), r.hello("u3", ""), r.dial()
		two.send(`{"t":"refresh","id":1,"token":"u2@blue"}`)
		synctest.Wait()
		r.engine.Drain(time.Now().Add(10*time.Second), func(session any) []wire.EdgeRef {
			return []wire.EdgeRef{{ID: "of-" + r.m.Team(session)}}
		})
		for _, c := range []*client{one, two, none, silent} {
			c.take()
		}
		time.Sleep(9 * time.Second)
		for want, c := range map[string]*client{"of-red": one, "of-blue": two, "of-": none} {
			if got := c.one(wire.TGoaway).str("edges"); !strings.Contains(got, `"`+want+`"`) {
				t.Errorf("named %s, want %s", got, want)
			}
		}
		if got := silent.take(); len(got) > 0 {
			t.Errorf("one without a session got %v", got)
		}
	})
	m := new(Manager)
	if team := m.Team(nil) + m.Team(&session{}); team != "" {
		t.Errorf("nobody's team is %q", team)
	}
}
