package log_test

import (
	"fmt"
	"testing"

	"selvedge/wire"
)

// A core that hands over leads nothing any more, and the others all there is: nobody
// waits for an election. It may be any of them, and goes on as a copy.
func TestHandOver(t *testing.T) {
	c := newTrio(t)
	c.start(c.names...)
	led := func() (all int) {
		for _, s := range c.stores {
			all += s.Leads()
		}
		return all
	}
	const streams = 4 // two frame logs, the state log, the epoch
	eventually(t, "each stream has a leader", func() bool { return led() == streams })
	for i, name := range append(c.names, c.names...) {
		c.stores[name].HandOver(t.Context())
		if n := c.stores[name].Leads(); n != 0 || led() != streams {
			t.Errorf("%s leads %d streams, all together %d", name, n, led())
		}
		post := &wire.Post{Ch: wire.Channel(fmt.Sprint("topic:", i)), TS: 1, Data: wire.Data{0x01}}
		eventually(t, "a publish by way of it is taken", func() bool { // it learns of the new leader a moment later
			_, err := c.stores[name].Publish(t.Context(), "test", post)
			return err == nil
		})
	}
}
