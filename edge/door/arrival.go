package door

import (
	"net"
	"net/http"
	"net/netip"

	"selvedge/edge/transport"
	"selvedge/edge/websocket"
)

// Engine is where sockets go: fanout.Engine. Both methods own the connection
// from the call on, also if they fail.
type Engine interface {
	Attach(nc net.Conn, early []byte, agreed websocket.Agreement, session any) error
	Take(c *transport.Conn, early []byte, agreed websocket.Agreement, session any) error
}

// Arrival is a client that has shaken hands. It is valid during Config.Take.
type Arrival struct {
	// Request is what the client asked with; it may be used again afterwards.
	Request *http.Request

	agreed websocket.Agreement
	early  []byte          // what came behind the request
	conn   *transport.Conn // of one of the door's loops, or nil
	nc     net.Conn        // if conn is nil
	client netip.AddrPort  // from the PROXY header, if valid
}

// Client is the client's address: what the PROXY header says, else the
// connection's own. It may ask the kernel.
func (a *Arrival) Client() netip.AddrPort {
	switch {
	case a.client.IsValid():
		return a.client
	case a.conn != nil:
		return a.conn.RemoteAddr()
	}
	return addrPort(a.nc.RemoteAddr())
}

// Enter gives the client to an engine; session is kept with the socket. It may
// be called once. On an error the connection is closed.
func (a *Arrival) Enter(e Engine, session any) error {
	if a.conn != nil {
		return e.Take(a.conn, a.early, a.agreed, session)
	}
	return e.Attach(a.nc, a.early, a.agreed, session)
}

// addrPort is a's address, IPv4 as such; not valid if it has none.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String()) // simulated networks; "pipe" has none
	return ap
}
