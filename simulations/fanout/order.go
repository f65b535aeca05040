package fanout

import (
	"fmt"

	"selvedge/simulations/orders"
)

// Kinds of subscribers.
const (
	kindRedis   = "redis"         // SUBSCRIBE
	kindSharded = "redis-sharded" // SSUBSCRIBE
	kindLink    = "link"          // a QUIC link to a core, or to a relay
	kindSocket  = "socket"        // a WebSocket at an edge
)

// target is what subscribers connect to.
type target struct {
	Addr   string `json:"addr"`
	Node   string `json:"node,omitempty"`   // of a link: who must answer
	Region string `json:"region,omitempty"` // of a link: where its downstream is
	Relay  bool   `json:"relay,omitempty"`  // of a link: to an edge
}

// order is what a process of subscribers is told; Do says which fields matter.
type order struct {
	Do string `json:"do"`

	// connect
	Kind     string   `json:"kind,omitempty"`
	Targets  []target `json:"targets,omitempty"` // the subscribers take turns
	Back     *target  `json:"back,omitempty"`    // of links: where they resume when that fails them; nil = there again
	Channel  string   `json:"channel,omitempty"`
	Log      int      `json:"log,omitempty"`      // of a link: the channel's
	First    int      `json:"first,omitempty"`    // number of the first subscriber
	Count    int      `json:"count,omitempty"`    // how many
	InFlight int      `json:"inflight,omitempty"` // how many connect at once
	Bytes    int      `json:"bytes,omitempty"`    // of a payload

	// begin, await
	Round     int64 `json:"round,omitempty"`
	Publishes int64 `json:"publishes,omitempty"` // of the round; await: as many as are awaited
	From      int64 `json:"from,omitempty"`      // await: number of the first of these
	Millis    int64 `json:"ms,omitempty"`        // await: patience
}

func (o order) String() string { return fmt.Sprintf("%s %s", o.Do, o.Kind) }

// word is what answers an order.
type word struct {
	// await
	Astray int64 `json:"astray,omitempty"` // links that are not where they were made to

	// tell
	Receipts int64   `json:"receipts,omitempty"`
	Late     int64   `json:"late,omitempty"`     // of the receipts: nobody waited for them any more
	Doubled  int64   `json:"doubled,omitempty"`  // since it was told last: came again, or of another round
	Relinked int64   `json:"relinked,omitempty"` // since it was told last
	Took     []int64 `json:"took,omitempty"`     // a histogram's counts
	Last     []int64 `json:"last,omitempty"`     // ns, by publish
}

// team are the processes of subscribers.
type team = orders.Team[order, word]
