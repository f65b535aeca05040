package session

import (
	"testing"
	"unsafe"

	"selvedge/internal/identity"
)

func TestGrantsAllowWhatTheTokenDoes(t *testing.T) {
	c := identity.Claims{Publish: []string{"room:*", "topic:a"}, Subscribe: []string{"topic:x*", "topic:\x00", ""}}
	g := newGrants(c)
	for _, ch := range []string{"room:1", "topic:a", "topic:ab", "topic:x", "topic:xy", "", "topic:", "room:"} {
		if g.mayPublish(ch) != c.MayPublish(ch) || ch != "" && g.maySubscribe(ch) != c.MaySubscribe(ch) {
			t.Errorf("%q: publish %v, subscribe %v", ch, g.mayPublish(ch), g.maySubscribe(ch))
		}
	}
	if g != newGrants(c) {
		t.Error("the same grants are kept twice")
	}
	none := newGrants(identity.Claims{})
	if none.mayPublish("room:1") || none.maySubscribe("topic:a") || (grants{}).mayPublish("room:1") {
		t.Error("a token without patterns allows something")
	}
}

// What an idle session and its user keep here.
func TestIdleSessionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n > 64 {
		t.Errorf("a session has %d bytes", n)
	}
	if n := unsafe.Sizeof(user{}); n > 96 {
		t.Errorf("a user has %d bytes", n)
	}
}
