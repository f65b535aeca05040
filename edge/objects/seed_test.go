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

// An answer may have a document before its record comes: who was told of it must not
// be told an older one afterwards. An older one that is late changes nothing.
func TestSeedAheadOfTheLog(t *testing.T) {
	bubble(t, 1<<20, 1, func(t *testing.T, o *Objects, c *core) {
		c.put("user:1", "Ann")
		was := get(t, o, "user:1")[0]
		later := wire.Object{V: was.V + 5, Data: text("Anna")}
		o.Seed("user:1", later, later.V)
		if got, ok := o.Peek("user:1"); !ok || got.V != later.V || string(got.Data) != string(later.Data) {
			t.Errorf("it is %+v after a later one was told of", got)
		}
		o.Seed("user:1", wire.Object{V: was.V, Data: was.Data}, later.V+1)
		if got, _ := o.Peek("user:1"); got.V != later.V {
			t.Errorf("it is %+v after an older one came late", got)
		}
	})
}
