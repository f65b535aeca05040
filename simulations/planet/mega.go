package planet

// hot is one room that every edge wants, such as a mega room: what one publish to it
// costs.
type hot struct {
	Edges  int            `json:"edges"`
	Centre [tiers]float64 `json:"centre_cpu_us"`
	Bytes  [tiers]float64 `json:"centre_bytes"`
	Relay  float64        `json:"relay_cpu_us"` // of the busiest relay, with ours
	// PerSecond is how many such publishes there can be each second. A broker's server has
	// one CPU. A core's log has one that follows it, and each of its links one, of all that
	// the machine has; so with a relay's. None has more than its network.
	PerSecond [tiers]float64 `json:"publishes_per_s"`
}

// hotRoom reckons it, for so many edges.
func (z *sizing) hotRoom(edges int) hot {
	c, per := &z.f.costs, z.a.spread(edges)
	most := 0
	for _, n := range per {
		most = max(most, n)
	}
	e, r := float64(edges), float64(len(per))
	h := hot{Edges: edges, Relay: float64(most-1) * c.RelayFrame.Value}
	redis := z.f.bytes + c.RedisBytes.Value
	h.Centre = [tiers]float64{c.RedisPublish.Value + e*c.RedisGateway.Value, c.CorePublish.Value + e*c.CoreLink.Value, c.CorePublish.Value + r*c.CoreLink.Value}
	h.Bytes = [tiers]float64{e * redis, e * z.onLink(), r * z.onLink()}
	for t := range tiers {
		cpus := 1.0
		if t != tierRedis {
			cpus = z.s.CoreMachine.CPUs // each link has a goroutine of its own
		}
		h.PerSecond[t] = min(cpus/micro/h.Centre[t], z.s.CoreMachine.Gbit*gigabit/h.Bytes[t])
		if t != tierRedis {
			h.PerSecond[t] = min(h.PerSecond[t], 1/micro/max(c.CorePublish.Value, c.CoreLink.Value))
		}
	}
	if h.Relay > 0 {
		h.PerSecond[tierRelays] = min(h.PerSecond[tierRelays], z.s.EdgeMachine.CPUs/micro/h.Relay, z.s.EdgeMachine.Gbit*gigabit/(float64(most-1)*z.onLink()))
	}
	return h
}
