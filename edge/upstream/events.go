package upstream

import (
	"selvedge/wire/tail"
)

// Reason is why a log is opened at a link, after where this edge stands.
type Reason string

// The reasons.
const (
	Start  Reason = "start"  // it was not followed before
	Moved  Reason = "moved"  // another core serves it now
	Gone   Reason = "gone"   // gossip does not know its core any more
	Left   Reason = "left"   // its core has stopped, in good order
	Lost   Reason = "lost"   // its link has failed
	Silent Reason = "silent" // nothing came of it, while its link was up
	Behind Reason = "behind" // its core lacks what this edge has
	Epoch  Reason = "epoch"  // the logs have another epoch
)

// Reasons are all of them.
func Reasons() []Reason { return []Reason{Start, Moved, Gone, Left, Lost, Silent, Behind, Epoch} }

// Events are what an Upstream reports, for metrics. Unset ones are filled in with
// no-ops. They are called from many goroutines and must not block.
type Events struct {
	Resumed  func(why Reason)                           // a log was opened at a link
	Received func(region string, records []tail.Record) // from a core there, before the sink has them
}

func (e Events) withDefaults() Events {
	if e.Resumed == nil {
		e.Resumed = func(Reason) {}
	}
	if e.Received == nil {
		e.Received = func(string, []tail.Record) {}
	}
	return e
}
