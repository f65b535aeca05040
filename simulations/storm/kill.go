package storm

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/simulations/load"
	"selvedge/simulations/orders"
	"selvedge/wire"
)

// place is the region of the edges that share the real storm.
const place = "us-east"

// Kill is what became of one edge that was killed. Times are this machine's.
type Kill struct {
	Movers int     `json:"movers"`
	Back   Spread  `json:"back"` // from the kill until they were welcome elsewhere
	Lost   Spread  `json:"knew"` // until they knew that they had lost their edge
	Busy   int     `json:"peak"` // welcomes in the busiest tenth of a second, times ten
	Rate   float64 `json:"rate"` // welcomes/s from the first to 90 % of them
	Tries  float64 `json:"tries_mean"`

	CoreRequests map[string]int `json:"core_requests"` // by kind, from the kill until a second after the last was back
	Bound        int            `json:"bound"`         // rooms + edges, or what so many clients' hellos need if that is more
	Accepts      map[string]int `json:"accepts"`       // at the siblings, by result

	// CPU from the kill until the last was back, less what as much time took before the
	// kill: the messages, gossip and all else that goes on.
	EdgeCPU   float64 `json:"edge_cpu_us_per_welcome"`
	CoreCPU   float64 `json:"core_cpu_us_per_welcome"`
	ClientCPU float64 `json:"client_cpu_us_per_welcome"`

	// Calm and Storm are how late messages are at the siblings' own sockets, before the
	// kill and until all are back, in ms.
	Calm  Late `json:"calm"`
	Storm Late `json:"storm"`

	Ledger ledger.Result `json:"ledger"`
	Failed int           `json:"publish_tries_failed"` // each was tried again
	Afresh int           `json:"afresh"`
	// Disturbed are trips of those who were at the siblings before: nobody should make one.
	Disturbed int      `json:"disturbed"`
	Line      []Moment `json:"line"`
	CPU       []CPU    `json:"cpu"`

	siblings int
	took     time.Duration   // until all were back
	returns  []time.Duration // since the kill, sorted
	tries    []time.Duration
	late     []Lateness // At since the kill
	problems []string
}

// Late are quantiles of times, in milliseconds.
type Late struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// CPU is what processes used of CPUs up to a moment, in CPUs since the one before.
type CPU struct {
	At      float64 `json:"at_s"`
	Edges   float64 `json:"edges"`
	Core    float64 `json:"core"`
	Clients float64 `json:"clients"`
}

// kill is one run: a cluster of processes, of which an edge is killed.
type kill struct {
	*Edge
	binary string
	say    func(format string, args ...any)

	fleet *fleet.Fleet
	team  orders.Team[crewOrder, crewWord]
	pub   *publisher
	began time.Duration // when the edge was killed, by load.Now

	mu   sync.Mutex
	line []Moment // guarded by mu
	cpu  []CPU    // guarded by mu
}

func now() time.Duration { return time.Duration(load.Now()) }

// play does all of it, and leaves nothing behind.
func (k *kill) play(ctx context.Context) (out *Kill, err error) {
	defer func() {
		if k.pub != nil {
			if stopped := k.pub.stop(); !errors.Is(err, stopped) {
				err = errors.Join(err, stopped)
			}
		}
		if err != nil && k.fleet != nil && ctx.Err() == nil {
			k.say("%v; the end of what the nodes logged:\n%s", err, k.fleet.Logs())
		}
		if stopping := k.team.Stop(); err == nil {
			err = stopping
		}
		if k.fleet != nil {
			k.fleet.Stop()
		}
	}()
	if k.binary == "" {
		if k.binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if err := k.gather(ctx); err != nil {
		return nil, err
	}
	return k.storm(ctx)
}

func (k *kill) crowd() Crowd {
	return Crowd{k.Rooms, k.Sockets + k.Siblings*k.Residents, k.RoomsEach}
}

// gather starts the cluster and the members, and publishes to them.
func (k *kill) gather(ctx context.Context) (err error) {
	regions := make([]string, 1+k.Siblings)
	for i := range regions {
		regions[i] = place
	}
	k.say("starting a core and %d edges", len(regions))
	k.fleet, err = fleet.Run(ctx, fleet.Config{
		Binary: k.binary, Regions: regions, EdgeFlags: []string{"--max-sockets", strconv.Itoa(min(k.Sockets+k.Residents, maxSockets) + 64)},
	})
	if err != nil {
		return err
	}
	api := &backend.Client{BaseURL: k.fleet.Core.URL, Key: identity.DevAPIKey, Retries: -1}
	doc, err := wire.ParseJSON([]byte(`{}`))
	if err != nil {
		return err
	}
	crowd := k.crowd()
	for i, users := range crowd.members() {
		if _, err := api.PutRoom(ctx, roomID(i), backend.Document{Data: doc}); err != nil {
			return err
		}
		if _, err := api.ChangeMembers(ctx, roomID(i), users, nil); err != nil {
			return err
		}
	}
	n := (crowd.Members + crewMembers - 1) / crewMembers
	k.say("%d members in %d of %d rooms each, from %d processes", crowd.Members, crowd.each(), k.Rooms, n)
	if k.team, err = orders.StartTeam[crewOrder, crewWord](n, k.binary, "simulate", "storm-members"); err != nil {
		return err
	}
	_, err = k.team.Each(ctx, func(i int) crewOrder {
		first := crowd.Members * i / n
		return crewOrder{Do: "connect", URLs: k.fleet.EdgeURLs(), Crowd: crowd, First: first, Count: crowd.Members*(i+1)/n - first, Movers: k.Sockets}
	})
	if err != nil {
		return err
	}
	k.pub = &publisher{
		book: ledger.New(), now: now, rooms: k.Rooms, gap: time.Duration(float64(time.Second) / k.PublishesPerSecond), publish: api.Publish,
	}
	k.pub.start(ctx)
	return nil
}

// calmTime is what is looked at before the kill.
const calmTime = 5 * time.Second

// storm kills the edge, and waits until all are elsewhere.
func (k *kill) storm(ctx context.Context) (*Kill, error) {
	first, err := k.usage()
	if err != nil {
		return nil, err
	}
	calm := now()
	if err := wait(ctx, calmTime); err != nil {
		return nil, err
	}
	usedCalm, err := k.usage()
	if err != nil {
		return nil, err
	}
	calm = now() - calm
	if _, err := k.team.Each(ctx, func(int) crewOrder { return crewOrder{Do: "clear"} }); err != nil {
		return nil, err
	}
	before, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	usedBefore, err := k.usage()
	if err != nil {
		return nil, err
	}
	looking, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer stop()
	k.began = now()
	k.fleet.Edges[0].Kill()
	k.say("an edge with %d sockets is killed", k.Sockets)
	looks.Go(func() { k.watch(looking, usedBefore) })
	words, err := k.team.Each(ctx, func(int) crewOrder { return crewOrder{Do: "back"} })
	if err != nil {
		return nil, err
	}
	used, err := k.usage()
	if err != nil {
		return nil, err
	}
	took := now() - k.began
	if err := wait(ctx, time.Second); err != nil {
		return nil, err
	}
	after, err := k.look(ctx)
	if err != nil {
		return nil, err
	}
	stop()
	looks.Wait()
	out := &Kill{Movers: k.Sockets, siblings: k.Siblings, Bound: max(k.Rooms+len(k.fleet.Edges), (k.Sockets+hellosAQuestion-1)/hellosAQuestion), Line: k.line, CPU: k.cpu}
	out.CoreRequests, out.Accepts = grew(after.requests, before.requests), grew(after.accepts, before.accepts)
	out.travelled(words, k.began)
	spent := used.since(usedBefore).beyond(usedCalm.since(first), float64(took)/float64(calm))
	per := func(d time.Duration) float64 { return float64(d) / 1e3 / float64(max(1, out.Back.N)) }
	out.EdgeCPU, out.CoreCPU, out.ClientCPU = per(spent.edges), per(spent.core), per(spent.clients)
	return out, k.account(ctx, out)
}

// account stops the publisher, and adds the processes' ledgers up.
func (k *kill) account(ctx context.Context, out *Kill) error {
	if err := k.pub.stop(); err != nil {
		return err
	}
	out.Failed = k.pub.failed
	acked := map[wire.Channel]int{}
	for i := range k.Rooms {
		acked[channel(i)] = k.pub.book.Next(channel(i)) // all before it are acknowledged
	}
	sums, err := k.team.Each(ctx, func(int) crewOrder { return crewOrder{Do: "account", Acked: acked} })
	for _, s := range sums {
		out.Ledger.Acknowledged = s.Result.Acknowledged // the same everywhere
		out.Ledger.Expected += s.Result.Expected
		out.Ledger.Delivered += s.Result.Delivered
		out.Ledger.Lost += s.Result.Lost
		out.Ledger.Duplicated += s.Result.Duplicated
		out.Ledger.OutOfOrder += s.Result.OutOfOrder
		out.Ledger.Gone += s.Result.Gone
		out.Ledger.FalseGaps += s.Result.FalseGaps
		out.Ledger.EmptyGaps += s.Result.EmptyGaps
		out.problems = append(out.problems, s.Problems...)
		for _, l := range s.Late {
			out.late = append(out.late, Lateness{l.At - k.began, l.Took})
		}
	}
	out.delays()
	return err
}
