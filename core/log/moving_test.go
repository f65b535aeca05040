package log

import (
	"testing"

	"github.com/nats-io/nats.go"
)

// A read whose records are on their way is not asked again.
func TestAnAnswerOnItsWay(t *testing.T) {
	t.Parallel()
	c := &getCall{batch: true, ends: make(chan *getCall, 1)}
	a := asking{last: c}
	if a.moving() {
		t.Error("nothing has come, and it moves")
	}
	for range 2 {
		c.answer(&nats.Msg{Header: nats.Header{"Nats-Sequence": {"7"}}})
		if !a.moving() || a.moving() {
			t.Error("what has come does not count, or twice")
		}
	}
}
