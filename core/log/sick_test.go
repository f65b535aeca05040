package log

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// A server that had no processor for a millisecond is not sick; one whose store
// can't write is, and also when both come together.
func TestABusyServerIsNotSick(t *testing.T) {
	busy := server.HealthzError{Type: server.HealthzErrorConn, Error: "not ready"}
	broken := server.HealthzError{Type: server.HealthzErrorStream, Error: "write error"}
	for _, c := range []struct {
		name  string
		busy  int // reports that say no more
		then  []server.HealthzError
		wants string
	}{
		{"healthy", 0, nil, ""},
		{"busy once", 1, nil, ""},
		{"busy all the time", 1000, nil, ""},
		{"broken", 0, []server.HealthzError{broken}, "write error"},
		{"broken and busy", 3, []server.HealthzError{broken}, "write error"},
		{"both at once", 0, []server.HealthzError{busy, broken}, "write error"},
	} {
		asked, got := 0, ""
		err := sickness(func() []server.HealthzError {
			if asked++; asked <= c.busy {
				return []server.HealthzError{busy}
			}
			return c.then
		})
		if err != nil {
			got = err.Error()
		}
		if got != c.wants || asked > healthTries {
			t.Errorf("%s: %q after %d reports, want %q", c.name, got, asked, c.wants)
		}
	}
}
