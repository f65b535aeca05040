package session

import (
	"strings"
	"unicode"
	"unique"

	"selvedge/internal/identity"
)

// grants are what a token allows and whose team it is of, kept once for all sessions
// whose tokens say the same. The zero value allows nothing.
type grants struct{ of unique.Handle[patterns] }

// patterns are channel patterns; none contains a control character, as no
// channel does, so that one can stand between them. And a team, "" = none.
type patterns struct{ publish, subscribe, team string }

const between = "\x00"

func newGrants(c identity.Claims) grants {
	return grants{unique.Make(patterns{join(c.Publish), join(c.Subscribe), c.Team})}
}

func join(list []string) string {
	var kept []string
	for _, p := range list {
		if !strings.ContainsFunc(p, unicode.IsControl) { // it stands for no channel
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, between)
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, between)
}

func (g grants) mayPublish(ch string) bool {
	return g != grants{} && identity.Claims{Publish: split(g.of.Value().publish)}.MayPublish(ch)
}

func (g grants) maySubscribe(ch string) bool {
	return g != grants{} && identity.Claims{Subscribe: split(g.of.Value().subscribe)}.MaySubscribe(ch)
}

func (g grants) team() string {
	if g == (grants{}) {
		return ""
	}
	return g.of.Value().team
}

// grant takes what a token allows.
func (s *session) grant(c identity.Claims) {
	s.mu.Lock() // for Team
	defer s.mu.Unlock()
	s.grants = newGrants(c)
}

// Team is the team of a socket's session, by its token; "" = none. It may be called on
// any goroutine.
func (m *Manager) Team(of any) string {
	s, ok := of.(*session)
	if !ok {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants.team()
}
