package planet

import (
	"fmt"
	"maps"
	"slices"
)

// calibrate fits the laws anew to the reports in files, and puts what follows from them
// into the single costs. Rows with more than maxGateways are left out unread; a report of
// more than maxSockets fails with errTooLarge.
func (c *Costs) calibrate(files []string) error {
	byTier := map[string][]fanoutRow{}
	var crowd []*crowdRow
	var fanout, million *run // the last, and that of the most sockets
	payload := 0
	c.Fitted = nil
	for _, file := range files {
		r, err := readRun(file)
		if err != nil {
			return err
		}
		var sizes []int
		if r.Name == fanoutName {
			rows, size, err := r.fanout(func(n int) bool { return n <= maxGateways })
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if payload != 0 && size != payload {
				return fmt.Errorf("%s: its messages have %d bytes, those of another report %d", file, size, payload)
			}
			for _, row := range rows {
				if row.Mode == single {
					byTier[row.Tier] = append(byTier[row.Tier], row)
					sizes = append(sizes, row.N)
				}
			}
			fanout, payload = r, size
		} else {
			row, err := r.million(func(n int) bool { return n <= maxSockets })
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if most := largestOf(crowd); most == nil || row.Sockets > most.Sockets {
				million = r
			}
			crowd, sizes = append(crowd, row), []int{row.Sockets}
		}
		slices.Sort(sizes)
		c.Fitted = append(c.Fitted, fittedTo(r, slices.Compact(sizes)))
	}
	c.Tiers, c.Crowd = map[string]Tier{}, nil
	for _, name := range slices.Sorted(maps.Keys(byTier)) {
		t, err := fitTier(byTier[name])
		if err != nil {
			return fmt.Errorf("tier %s: %w", name, err)
		}
		t.Payload = payload
		c.Tiers[name] = t
	}
	if len(crowd) > 0 {
		var err error
		if c.Crowd, err = fitCrowd(crowd); err != nil {
			return fmt.Errorf("sockets: %w", err)
		}
	}
	c.follow(fanout, million, largestOf(crowd))
	return c.check()
}

func fittedTo(r *run, sizes []int) Fitted {
	return Fitted{
		Simulation: r.Name, Command: r.Command, Seed: r.Seed, Commit: r.commit(),
		Made: r.Made, Machine: r.Machine.String(), CPUs: r.Machine.CPUs, Quick: r.Quick, Sizes: sizes,
	}
}

// fitTier needs two sizes: fixed and single costs can't be told apart by one.
func fitTier(rows []fanoutRow) (Tier, error) {
	t := Tier{Points: len(rows)}
	least := rows[0].N
	for _, r := range rows {
		t.At, least = max(t.At, r.N), min(least, r.N)
	}
	if least == t.At {
		return t, fmt.Errorf("all rows have %d gateways: two sizes are needed", t.At)
	}
	of := map[string]func(fanoutRow) float64{
		"last_ms": func(r fanoutRow) float64 { return r.Last.P50 }, "centre_cpu_us": func(r fanoutRow) float64 { return r.Centre }, "thread_cpu_us": fanoutRow.thread,
		"centre_bytes": func(r fanoutRow) float64 { return r.Bytes }, "loopback_bytes": func(r fanoutRow) float64 { return r.Wire },
		"relays_cpu_us": func(r fanoutRow) float64 { return r.Relays }, "clients_cpu_us": func(r fanoutRow) float64 { return r.Clients * float64(r.N) },
		"idle_cpu_ms": func(r fanoutRow) float64 { return r.Idle },
	}
	for name, law := range t.laws() {
		var points []point
		for _, r := range rows {
			points = append(points, point{r.N, of[name](r)})
		}
		var err error
		if *law, err = fit(points); err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t, nil
}

// largestOf is the row with the most sockets, nil if there is none.
func largestOf(rows []*crowdRow) (most *crowdRow) {
	for _, r := range rows {
		if most == nil || r.Sockets > most.Sockets {
			most = r
		}
	}
	return most
}

// follow sets the single costs that laws tell. The fixed cost of a publish that comes
// alone is not one of them: most of it is waking up, which a busy centre doesn't.
func (c *Costs) follow(fanout, million *run, crowd *crowdRow) {
	set := func(cost *Cost, r *run, value float64, how string) {
		cost.Value = value
		cost.Source = fmt.Sprintf("fitted: %s; %s, seed %d, commit %s, %s", how, r.Command, r.Seed, r.commit(), r.Made.UTC().Format("2006-01-02"))
	}
	tier := func(name string, then func(t Tier)) {
		if t, ok := c.Tiers[name]; ok {
			then(t)
		}
	}
	f := &c.Each
	tier("redis", func(t Tier) {
		set(&f.RedisGateway, fanout, t.Centre.Per, "tier redis, the server's CPU for each gateway more")
		set(&f.RedisBytes, fanout, max(t.Wire.Per-float64(t.Payload), 0), "tier redis, bytes on loopback for each gateway more, less the message")
	})
	tier("direct", func(t Tier) {
		set(&f.CoreLink, fanout, t.Centre.Per, "tier direct, the core's CPU for each gateway more")
		set(&f.LinkBytes, fanout, max(t.Wire.Per-float64(t.Payload), 0), "tier direct, bytes on loopback for each gateway more, less the message")
	})
	tier("relays", func(t Tier) {
		set(&f.RelayFrame, fanout, t.Relays.Per, "tier relays, the relays' CPU for each gateway more")
	})
	tier("sockets", func(t Tier) {
		set(&f.EdgeDelivery, fanout, t.Relays.Per, "tier sockets, the edges' CPU for each socket more")
	})
	if crowd != nil {
		how := fmt.Sprintf("%d sockets", crowd.Sockets)
		set(&f.KernelEnd, million, crowd.Kernel/2, how+", half of what the kernel takes for both ends")
		set(&f.EdgeIdle, million, crowd.Idle, how+", nothing published")
		set(&f.EdgeProcess, million, crowd.EdgeProcess, how+", an edge before its first")
	}
}
