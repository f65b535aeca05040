package geo

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Outcome is what one world showed.
type Outcome struct {
	World       string        `json:"world"`
	Edges       int           `json:"edges"`
	Clients     int           `json:"clients"`
	Published   int           `json:"published"`
	Deliveries  int           `json:"deliveries"` // to clients
	Missing     int           `json:"missing"`    // that did not come until the end
	Twice       int           `json:"twice"`
	Trouble     []string      `json:"trouble,omitempty"` // what should not happen
	Regions     []Region      `json:"regions"`
	CoreToEdge  Quantiles     `json:"core_to_edge"`   // all regions together
	CoreToAll   Quantiles     `json:"core_to_client"` // all clients together
	SendToAll   Quantiles     `json:"send_to_client"`
	Welcome     Quantiles     `json:"welcome"`       // from a client's first SYN, without TLS
	Matrix      matrix        `json:"matrix_p50_ms"` // from the publisher's send, by its region, to clients, by theirs
	Moves       []Move        `json:"moves,omitempty"`
	OceanFrames int64         `json:"ocean_frames"` // on links into regions other than the core's
	Oceans      Oceans        `json:"ocean_bytes"`  // while publishing
	Quiet       Oceans        `json:"quiet_bytes"`  // in half a minute in which nobody published
	Took        time.Duration `json:"took_ns"`      // publishing
	Virtual     time.Duration `json:"virtual_ns"`
	Packets     uint64        `json:"packets"`
	PacketsLost uint64        `json:"packets_lost"`
	Wall        time.Duration `json:"-"` // host time stands apart
	CPU         time.Duration `json:"-"` // the process's

	plan     *plan
	messages []message
	begin    time.Duration     // when publishing began
	toClient [][]arrival       // by region
	coreTo   [][]time.Duration // by region, sorted: from the core to clients
	edgeAt   [][]time.Duration // by region, sorted: from the core to edges
	stamped  []stamped         // by region
}

// matrix is figures of pairs of regions; NaN = there was no message from one to the other,
// null in a file.
type matrix [][]float64

// MarshalJSON is json.Marshaler's.
func (m matrix) MarshalJSON() ([]byte, error) {
	out := make([][]*float64, len(m))
	for i, row := range m {
		out[i] = make([]*float64, len(row))
		for k := range row {
			if !math.IsNaN(row[k]) {
				out[i][k] = &row[k]
			}
		}
	}
	return json.Marshal(out)
}

// Region is what the members of one region saw. From the core is from the moment in
// which its log had the message.
type Region struct {
	Region       string    `json:"region"`
	Name         string    `json:"name"`
	HalfRTT      float64   `json:"table_half_rtt_ms"` // to the core
	CoreToEdge   Quantiles `json:"core_to_edge"`
	SendToEdge   Quantiles `json:"send_to_edge"`
	EdgeToClient Quantiles `json:"edge_to_client"` // from the region's first edge; none if clients use others
	CoreToClient Quantiles `json:"core_to_client"`
	SendToClient Quantiles `json:"send_to_client"`
	Welcome      Quantiles `json:"welcome"` // of clients, from their first SYN, without TLS
	// What links carry between this region and others; of the core's region, no frames.
	OceanFrames int64 `json:"ocean_frames"`      // to this region's edges
	OceanBytes  int64 `json:"ocean_bytes"`       // both ways, while publishing
	QuietBytes  int64 `json:"ocean_quiet_bytes"` // in half a minute in which nobody published
}

// outcome is what the recorder knows, when all is over.
func (r *recorder) outcome(p *plan) *Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(p.atlas.regions)
	o := &Outcome{
		World: p.name, Edges: len(p.edges), Clients: n * p.clients, Published: len(r.messages), Trouble: r.trouble, Moves: r.moves,
		plan: p, messages: r.messages, begin: r.begin, toClient: r.arrivals,
	}
	for _, a := range r.seen {
		o.Missing += len(r.messages) - a.got
		o.Twice += a.twice
	}
	o.Matrix = make(matrix, n)
	var edges, core, sent []time.Duration
	for to := range n {
		first := r.first(to)
		e := r.took(r.probed[to], fromCore)
		var last []time.Duration
		for _, a := range r.arrivals[to] {
			if there := first[a.n]; there > 0 && a.at >= there && !p.central {
				last = append(last, a.at-there)
			}
		}
		c, s := r.took(r.arrivals[to], fromCore), r.took(r.arrivals[to], fromSend)
		o.Deliveries += len(c)
		edges, core, sent = append(edges, e...), append(core, c...), append(sent, s...)
		o.Regions = append(o.Regions, Region{
			Region: p.scenario.Regions[to], Name: p.atlas.names[to], HalfRTT: ms(p.atlas.p50[p.atlas.core][to] / 2),
			CoreToEdge: quantiles(e), SendToEdge: quantiles(r.took(r.probed[to], fromSend)), EdgeToClient: quantiles(last),
			CoreToClient: quantiles(c), SendToClient: quantiles(s), Welcome: quantiles(r.welcomes[to]),
		})
		o.coreTo, o.edgeAt = append(o.coreTo, c), append(o.edgeAt, e)
		o.stamped = append(o.stamped, stamped{r.took(r.probed[to], fromStamp), r.took(r.arrivals[to], fromStamp)})
		for from := range n {
			var pair []time.Duration
			for _, a := range r.arrivals[to] {
				if m := &r.messages[a.n]; int(m.region) == from {
					pair = append(pair, a.at-m.sent)
				}
			}
			p50 := math.NaN()
			if len(pair) > 0 {
				p50 = quantiles(pair).P50
			}
			o.Matrix[from] = append(o.Matrix[from], p50)
		}
	}
	o.CoreToEdge, o.CoreToAll, o.SendToAll = quantiles(edges), quantiles(core), quantiles(sent)
	o.Welcome = quantiles(slices.Concat(r.welcomes...))
	return o
}

// first is when each message was at the first edge of a region, by its number.
func (r *recorder) first(region int) []time.Duration {
	out := make([]time.Duration, len(r.messages))
	for _, a := range r.probed[region] {
		if out[a.n] == 0 || a.at < out[a.n] {
			out[a.n] = a.at
		}
	}
	return out
}

func fromCore(m *message) time.Duration { return m.accepted }

func fromSend(m *message) time.Duration { return m.sent }

func fromStamp(m *message) time.Duration { return m.stamped }

// took is how long the arrivals took, since a moment of their messages.
func (r *recorder) took(arrivals []arrival, moment func(*message) time.Duration) []time.Duration {
	out := make([]time.Duration, len(arrivals))
	for i, a := range arrivals {
		out[i] = a.at - moment(&r.messages[a.n])
	}
	return out
}

// spent is a part of a time line: what was sent within it, and how long that took to
// some region's clients.
type spent struct {
	at    time.Duration // its middle, since publishing began
	count int           // sent
	took  Quantiles
}

// line is the time line of a region, in steps; of all regions if it is negative. The times
// are from the core to clients.
func (o *Outcome) line(region int, step time.Duration) []spent {
	steps := int(o.plan.last / step) // a rest is left out
	took, sent := make([][]time.Duration, steps+1), make([]int, steps+1)
	at := func(m *message) int { return min(int((m.sent-o.begin)/step), steps) }
	for i := range o.messages {
		sent[at(&o.messages[i])]++
	}
	for to, arrivals := range o.toClient {
		if region >= 0 && to != region {
			continue
		}
		for _, a := range arrivals {
			m := &o.messages[a.n]
			took[at(m)] = append(took[at(m)], a.at-m.accepted)
		}
	}
	var out []spent
	for i := range steps {
		if sent[i] > 0 {
			out = append(out, spent{at: time.Duration(i)*step + step/2, count: sent[i], took: quantiles(took[i])})
		}
	}
	return out
}

// regional are the means of the regions' quantiles, from the core to edges. The median of
// all edges together would say nothing: it lies in the gap between two regions.
func (o *Outcome) regional() (q Quantiles) {
	n := float64(len(o.Regions))
	for i := range o.Regions {
		r := &o.Regions[i].CoreToEdge
		q.N += r.N
		q.P50, q.P95, q.P99, q.P999, q.Max = q.P50+r.P50/n, q.P95+r.P95/n, q.P99+r.P99/n, q.P999+r.P999/n, max(q.Max, r.Max)
	}
	return q
}

// named is how many troubles are, at most.
const named = 5

// sound reports what was broken: nothing may be missing at the end, nor come twice.
func (o *Outcome) sound() (problems []string) {
	problems = slices.Clone(o.Trouble)
	if len(problems) > named {
		problems = append(problems[:named:named], "and more")
	}
	if o.Missing > 0 {
		problems = append(problems, fmt.Sprintf("%d deliveries never came", o.Missing))
	}
	if o.Twice > 0 {
		problems = append(problems, fmt.Sprintf("%d came twice", o.Twice))
	}
	return problems
}
