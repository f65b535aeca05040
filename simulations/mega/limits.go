package mega

import (
	"errors"
	"fmt"

	"selvedge/simulations/limits"
)

// ErrLimit: this machine can't hold what was asked for.
var ErrLimit = errors.New("too large for this machine")

const (
	// spareFiles are those of a process beside its sockets.
	spareFiles = 200
	// spareSockets are those that an edge takes beside its share.
	spareSockets = 64

	// In bytes, each of one, as seen at 70 edges at rest and 10,000 sockets: anonymous
	// memory of an edge, a floor, a process of clients and a core; of a socket the
	// kernel's part of both ends, the client's, and an edge's (a floor has none).
	edgeBytes    = 16 << 20
	floorBytes   = 8 << 20
	clientBytes  = 24 << 20
	coreBytes    = 512 << 20
	kernelSocket = 12 << 10
	clientSocket = 2 << 10
	edgeSocket   = 4 << 10
)

// demand is what a measurement takes.
type demand struct {
	edges, floors, clients int // processes
	ours, bare             int // sockets of edges and of floors
	most                   int // of one process
}

// within reports what the limits lack, with the arithmetic.
func (d demand) within(l limits.Limits) error {
	var errs []error
	if all := uint64(d.most + spareFiles); all > l.Files {
		errs = append(errs, fmt.Errorf("%w: a process holds %d sockets and %d other files, %d in all, and may open %d: raise the limit (ulimit -n), or take fewer",
			ErrLimit, d.most, spareFiles, all, l.Files))
	}
	processes := int64(d.edges)*edgeBytes + int64(d.floors)*floorBytes + int64(d.clients)*clientBytes + coreBytes
	sockets := int64(d.ours+d.bare)*(kernelSocket+clientSocket) + int64(d.ours)*edgeSocket
	if all := processes + sockets; l.Memory > 0 && all > l.Memory {
		errs = append(errs, fmt.Errorf("%w: %d edges of %d MiB, %d floors of %d, %d load processes of %d and a core of %d are %d MiB; "+
			"%d sockets of %d KiB (the kernel's two ends and the client) and %d at edges of %d more are %d MiB; that is %d MiB, and %d MiB are available",
			ErrLimit, d.edges, edgeBytes>>20, d.floors, floorBytes>>20, d.clients, clientBytes>>20, coreBytes>>20, processes>>20,
			d.ours+d.bare, (kernelSocket+clientSocket)>>10, d.ours, edgeSocket>>10, sockets>>20, all>>20, l.Memory>>20))
	}
	return errors.Join(errs...)
}

// demand is that of the mega-channel: both sides hold all of their sockets all of
// the time.
func (m *Channel) demand() demand {
	n := workers(2*m.Edges, m.SocketsPerEdge)
	perProcess := 2 * m.Edges * ((m.SocketsPerEdge + n - 1) / n)
	return demand{edges: m.Edges, floors: m.Edges, clients: n, ours: m.sockets(), bare: m.sockets(), most: max(m.SocketsPerEdge+spareSockets, perProcess)}
}

func (r *Rooms) demand() demand {
	perEdge := (r.Sockets+r.Edges-1)/r.Edges + spareSockets
	n := workers(1, r.Sockets)
	return demand{edges: r.Edges, clients: n, ours: r.Sockets, most: max(perEdge, (r.Sockets+n-1)/n)}
}

// Fits reports why the parts don't fit on this machine, with the arithmetic; nil
// ones aren't asked about.
func Fits(m *Channel, r *Rooms) error {
	l, err := limits.Here()
	if err != nil {
		return err
	}
	var errs []error
	if m != nil {
		errs = append(errs, m.demand().within(l))
	}
	if r != nil {
		errs = append(errs, r.demand().within(l))
	}
	return errors.Join(errs...)
}
