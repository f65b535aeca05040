package planet

// Tiers of the question: who sends a frame to the edges that want it.
const (
	tierRedis  = iota // a broker's publish and subscribe
	tierDirect        // the core, each edge by itself
	tierRelays        // ours
	tiers
)

var tierNames = [tiers]string{"Redis pub/sub", "direct routing", "relays (ours)"}

// bill is what a month costs, in USD.
type bill struct {
	Edges    float64 `json:"edges"`
	State    float64 `json:"state"`  // memory for it, in the centre
	Centre   float64 `json:"centre"` // CPUs
	Ocean    float64 `json:"ocean"`
	Region   float64 `json:"region"` // between edges of one
	Clients  float64 `json:"clients"`
	Balancer float64 `json:"balancer"`
}

func (b bill) sum() float64 {
	return b.Edges + b.State + b.Centre + b.Ocean + b.Region + b.Clients + b.Balancer
}

// fanout is the part that the tiers differ in.
func (b bill) fanout() float64 { return b.Centre + b.Ocean + b.Region }

const (
	monthHours = 730
	gigabyte   = 1e9
	gibPerCPU  = 8 // of the machines that price_core_cpu is of
)

// bill reckons. CPUs and memory of the centre are counted as if they could be cut
// anywhere; that the core can't be, beyond some size, is said elsewhere. What state
// costs is in it with all tiers alike: somebody must keep it.
func (z *sizing) bill(tier int, x *fleet, users float64) bill {
	c := &z.f.costs
	var b bill
	var peak float64
	for h := range x.day {
		peak = max(peak, z.centreCPU(tier, &x.day[h], users))
	}
	memory := float64(z.s.Cores) * z.records(users) * c.CoreRecord.Value / gib
	b.State = memory / z.s.Target / gibPerCPU * c.PriceCoreCPU.Value * monthHours
	b.Centre = peak / z.s.Target * c.PriceCPU.Value * monthHours
	b.Edges = float64(x.edges) * z.s.EdgeMachine.CPUs * c.PriceCPU.Value * monthHours
	for h := range x.day {
		w := &x.day[h]
		gb := users * 3600 * monthHours / hours / gigabyte // of a byte per user and second
		b.Ocean += gb * z.oceanBytes(tier, w) * c.PriceOcean.Value
		for r := range w.in {
			in := &w.in[r]
			if tier == tierRelays {
				b.Region += gb * in.siblings * z.onLink() * c.PriceRegion.Value
			}
			out := gb * (in.deliveries*(z.f.bytes+c.SocketBytes.Value) + in.sockets*c.PingBytes.Value)
			b.Clients += out * c.PriceClients.Value
			b.Balancer += out * c.PriceBalancer.Value
		}
	}
	return b
}

// centreCPU is how many CPUs the centre of a tier uses.
func (z *sizing) centreCPU(tier int, w *flow, users float64) float64 {
	c := &z.f.costs
	all := z.coreCPU(w, users)
	switch tier {
	case tierDirect:
		all += users * micro * (w.gates - w.frames) * c.CoreLink.Value
	case tierRedis:
		copies := float64(z.s.Cores)
		all += users * micro * (w.publishes*(c.RedisPublish.Value-c.CorePublish.Value*copies) + w.gates*c.RedisGateway.Value - w.frames*c.CoreLink.Value)
	}
	return max(all, 0)
}

// oceanBytes are those of frames that leave the cores' region, per user and second.
func (z *sizing) oceanBytes(tier int, w *flow) float64 {
	switch tier {
	case tierRelays:
		return w.oceanFrames * z.onLink()
	case tierDirect:
		return w.oceanGates * z.onLink()
	default:
		return w.oceanGates * (z.f.bytes + z.f.costs.RedisBytes.Value)
	}
}

// egress is what leaves the centre for edges, at the busiest hour, in bytes per second.
func (z *sizing) egress(tier int, x *fleet, users float64) (most float64) {
	for h := range x.day {
		w := &x.day[h]
		var v float64
		switch tier {
		case tierRelays:
			v = w.frames * z.onLink()
		case tierDirect:
			v = w.gates * z.onLink()
		default:
			v = w.gates * (z.f.bytes + z.f.costs.RedisBytes.Value)
		}
		most = max(most, v*users)
	}
	return most
}
