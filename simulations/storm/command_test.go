package storm

import "testing"

// What a flag says is played, in small or not.
func TestFlagsChangeWhatIsQuick(t *testing.T) {
	c := Command{Quick: true, Sockets: 5000, Clients: 3000}
	s, err := c.scenario()
	if err != nil || s.Edge.Sockets != c.Sockets || s.Office.Clients != c.Clients || s.Edge.Runs != 1 {
		t.Errorf("%v:\n%s", err, &s)
	}
}
