package geo

import (
	"context"
	"net"
	"time"

	"selvedge/internal/identity"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
	"selvedge/wire"
)

// ground is what a crowd stands on: a world in virtual time, or processes in real time. The hosts
// are the same in both.
type ground struct {
	core   string   // URL of the API
	edges  []string // their URLs
	apiKey string
	secret []byte // of tokens
	since  func() time.Duration
	dial   func(ctx context.Context, from netsim.Host, addr string) (net.Conn, error)
}

func virtual(w *world.World) ground {
	on := ground{core: w.Cores[0].URL, apiKey: identity.DevAPIKey, secret: []byte(identity.DevTokenSecret), since: w.Net.Since, dial: w.Net.Dial}
	for _, e := range w.Edges {
		on.edges = append(on.edges, e.URL)
	}
	return on
}

// emptyMap is an object without fields, in msgpack.
var emptyMap = wire.Data{0x80}

// stamped is how long a region's messages took since the core's own stamp, sorted or not.
type stamped struct{ edge, client []time.Duration }
