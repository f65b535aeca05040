package geo

import (
	"math"
	"time"
)

// shape is how busy a working day is at a local hour, without spikes: quiet nights, and
// peaks at 11:00 and 14:00, as Slack has told of its own. Its mean over a day is 1. The
// widths are ours.
func shape(hour float64) float64 {
	const mean = 0.3068 // of what follows; a test has it
	bell := func(at, width float64) float64 {
		d := math.Mod(hour-at+60, 24) - 12
		return math.Exp(-d * d / (2 * width * width))
	}
	return (0.04 + 0.6*bell(11, 1) + 0.55*bell(14, 1.1) + 0.45*bell(12.7, 3)) / mean
}

// spike is how much is added right at the full hour, when meetings begin and machines
// wake up: it fades within some minutes.
func spike(hour, by float64) float64 {
	const fade = 2.0 / 60 // hours
	_, past := math.Modf(hour)
	return 1 + by*math.Exp(-past/fade)
}

// day has p publish as a working day does.
func (p *plan) day() *plan {
	d := &p.scenario.Day
	p.clients, p.last, p.probe = d.ClientsPerRegion, time.Duration(float64(d.For)/d.Lapse), d.GossipProbe
	mean := d.PublishesPerHour / 3600 * d.Lapse
	p.rate = func(region int, at time.Duration) float64 {
		utc := d.hour(at)
		return mean * shape(utc+p.atlas.regions[region].Lon/15) * spike(utc, d.Spike)
	}
	for minute := range 24 * 60 {
		p.peak = max(p.peak, mean*shape(float64(minute)/60)*(1+d.Spike))
	}
	return p
}

// hour is the day's clock, UTC, at a time since publishing began; past 24 on the next
// day.
func (d *Day) hour(at time.Duration) float64 { return d.From + at.Hours()*d.Lapse }
