package objects

import (
	"testing"
	"time"

	"selvedge/wire"
)

// A welcome tells of a user that no backend has stored as of an empty document at
// position 0. That is none, here as at the core.
func TestSeedOfNoDocument(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:other", "Ann")
		o.Seed("user:1", wire.Object{Data: wire.Data{}.OrEmpty()}, 1)
		time.Sleep(time.Second)
		if got := get(t, o, "user:1")[0]; got.Exists() || got.V != 1 {
			t.Errorf("it is %+v, want none, as of position 1", got)
		}
		if c.queries != 0 {
			t.Errorf("the core was asked %d times for what is known", c.queries)
		}
	})
}
