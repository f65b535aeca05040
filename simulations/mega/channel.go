package mega

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/load"
	"selvedge/wire"
)

// goal is how many times the floor's time ours may be.
const goal = 1.25

const (
	everybody = wire.RoomID("mega")
	inFlight  = 200 // sockets between connection and welcome at once, of floors and of few edges
)

// RunMega measures the mega-channel: it starts what it needs, and ends it. A message
// that is lost, damaged or comes twice is an error.
func RunMega(ctx context.Context, stage Stage, m Channel) (*MegaResult, error) {
	r, err := newRig(&stage, m.MessageBytes)
	run := &megaRun{rig: r, Channel: m}
	if err == nil {
		err = run.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, fmt.Errorf("mega-channel: %w", err)
	}
	return &run.res, nil
}

// megaRun is one run.
type megaRun struct {
	*rig
	Channel
	res MegaResult

	ours, bare   side
	resting      work // while nothing is published
	work, wasted work // of our publishes, and of the floor's
	last         []outcome
	floor        []outcome
}

func ourGroup(i int) string  { return fmt.Sprintf("ours-%d", i) }
func bareGroup(i int) string { return fmt.Sprintf("floor-%d", i) }

func (m *megaRun) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{m.startFloors, m.alone, m.startOurs, m.rest, m.pairs, m.gateways, m.look} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	m.finish()
	return nil
}

// startFloors starts the floors and their sockets.
func (m *megaRun) startFloors(ctx context.Context) error {
	n := m.demand().clients
	m.progress("mega-channel: %d floors and %d load processes, %d sockets", m.Edges, n, m.sockets())
	if err := m.spawn(n); err != nil {
		return err
	}
	m.res.LoadProcesses = n
	var groups []string
	for i := range m.Edges {
		f, err := load.StartFloor(ctx, m.binaryPath, welcomeBytes, m.floorArgs()...)
		if err != nil {
			return err
		}
		m.floors = append(m.floors, f)
		groups = append(groups, bareGroup(i))
		g := load.Group{Name: bareGroup(i), URLs: []string{f.URL}, User: userPrefix, First: i * m.SocketsPerEdge, Sockets: m.SocketsPerEdge, InFlight: inFlight}
		if err := m.arrive(ctx, g); err != nil {
			return err
		}
	}
	var err error
	m.bare, err = m.written(ctx, wire.RoomChannel(everybody), m.SocketsPerEdge, 2*(m.Publishes+1), groups, m.floors)
	return err
}

// welcomeBytes is about the size of an edge's welcome.
const welcomeBytes = 600

// alone has the floors write while there is no fleet; the first time isn't counted.
func (m *megaRun) alone(ctx context.Context) error {
	m.progress("mega-channel: the floor alone, %d times", m.Publishes)
	var last []float64
	for i := range m.Publishes + 1 {
		o, err := m.round(ctx, m.bare)
		if err != nil {
			return err
		}
		if i > 0 {
			last = append(last, millis(o.last))
		}
	}
	m.res.FloorAlone = spread(last)
	return nil
}

// startOurs starts core and edges, the room and our sockets.
func (m *megaRun) startOurs(ctx context.Context) error {
	m.progress("mega-channel: starting a core and %d edges in %d regions", m.Edges, m.Regions)
	start := time.Now()
	if err := m.startFleet(ctx, m.Edges, m.Regions, m.SocketsPerEdge, 1); err != nil {
		return err
	}
	m.res.Start = time.Since(start).Seconds()
	took, err := m.join(ctx, everybody, 0, m.sockets())
	if err != nil {
		return err
	}
	m.res.Join = millis(took)
	if err := m.allReady(ctx); err != nil {
		return err
	}
	m.progress("mega-channel: %d joined in %v; connecting them", m.sockets(), took.Round(time.Millisecond))
	start = time.Now()
	var groups []string
	for i, e := range m.fleet.Edges {
		groups = append(groups, ourGroup(i))
		g := load.Group{Name: ourGroup(i), URLs: []string{socketURL(e)}, User: userPrefix, First: i * m.SocketsPerEdge, Sockets: m.SocketsPerEdge, InFlight: m.InFlight, Retries: retries}
		if err := m.arrive(ctx, g); err != nil {
			return err
		}
		if n := i + 1; n%10 == 0 || n == len(m.fleet.Edges) {
			m.progress("  %d of %d edges have their sockets", n, len(m.fleet.Edges))
		}
	}
	m.res.Connect = time.Since(start).Seconds()
	m.ours = m.published(everybody, m.SocketsPerEdge, groups...)
	return nil
}

// rest sees what the fleet does while nothing is published. It begins, and ends, with
// all edges fit for traffic: connecting may have cost some their links.
func (m *megaRun) rest(ctx context.Context) error {
	for _, step := range []func(context.Context) error{m.allReady, m.rested} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	m.progress("mega-channel: the fleet at rest, for %g s", m.Idle)
	var err error
	if m.resting, err = m.idle(ctx, m.Idle); err != nil {
		return err
	}
	return m.allReady(ctx)
}

// pairs has both sides send by turns; the first pair isn't counted.
func (m *megaRun) pairs(ctx context.Context) error {
	for i := range m.Publishes + 1 {
		var floor, ours outcome
		wasted, err := m.measure(ctx, func() (err error) { floor, err = m.round(ctx, m.bare); return err })
		if err != nil {
			return err
		}
		work, err := m.measure(ctx, func() (err error) { ours, err = m.round(ctx, m.ours); return err })
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		m.progress("mega-channel: %d of %d: the last of %d after %s ms, the floor %s ms", i, m.Publishes, m.sockets(), figure(millis(ours.last)), figure(millis(floor.last)))
		m.wasted, m.work = m.wasted.plus(wasted.without(m.resting)), m.work.plus(work.without(m.resting))
		m.floor, m.last = append(m.floor, floor), append(m.last, ours)
	}
	return nil
}
