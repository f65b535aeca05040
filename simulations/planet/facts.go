package planet

import (
	"math"
	"math/rand/v2"
)

// facts are the uncertain figures, decided: one world of many.
type facts struct {
	online, night, sessions float64
	messages, bytes         float64 // per hour; each
	locality, roomSize      float64
	reconnects, questions   float64 // per hour; per second
	rooms, joins            float64 // joins per day
	costs                   Figures
}

// middle are the facts in the middle of all ranges.
func middle(s *Scenario, c *Costs) facts {
	return decide(s, c, func(r *Range) float64 { return r.Mid }, func() float64 { return 1 })
}

// draw decides by dice. Costs of CPU and memory that were measured spread, too: by what
// a prediction of them may be off.
func draw(s *Scenario, c *Costs, dice *rand.Rand) facts {
	return decide(s, c, func(r *Range) float64 { return r.draw(dice) }, func() float64 {
		return (&Range{Low: 1 - allowed, Mid: 1, High: 1 + allowed}).draw(dice)
	})
}

func decide(s *Scenario, c *Costs, of func(*Range) float64, off func() float64) facts {
	p := &s.People
	f := facts{
		online: min(of(&p.Online), 1), night: min(of(&p.AtNight), 1), sessions: of(&p.Sessions),
		messages: of(&p.Messages), bytes: of(&p.Bytes), locality: min(of(&p.Locality), 1), roomSize: of(&p.RoomSize),
		reconnects: of(&p.Reconnects), questions: of(&p.Questions), rooms: of(&p.Rooms), joins: of(&p.Joins), costs: c.Each,
	}
	for _, cost := range f.costs.measured() {
		cost.Value *= off()
	}
	return f
}

// measured are the costs of this program: neither prices nor what others measured.
func (f *Figures) measured() []*Cost {
	return []*Cost{
		&f.CorePublish, &f.CoreLink, &f.CoreConnect, &f.CoreState, &f.RedisPublish, &f.RedisGateway, &f.RelayFrame, &f.EdgeFrame,
		&f.EdgeDelivery, &f.EdgeConnect, &f.EdgeTLS, &f.EdgeQuery, &f.EdgeIdle, &f.EdgeSocket, &f.TLSSocket, &f.KernelEnd, &f.CoreRecord,
	}
}

// sigmas is how many standard deviations 95 of 100 lie below.
const sigmas = 1.6449

// draw is a figure of the range.
func (r *Range) draw(dice *rand.Rand) float64 {
	z := dice.NormFloat64()
	side := r.High
	if z < 0 {
		side = r.Low
	}
	return r.Mid * math.Exp(math.Abs(z)/sigmas*math.Log(side/r.Mid))
}
