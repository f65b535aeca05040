package planet

import (
	"fmt"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const shows = `What a cluster of ten million to a billion users would need, and which part of it is too small first: costs of single things that this machine
measured (a delivery, a frame on a link, a handshake, a socket's memory), times how often they happen, by assumptions about people that are listed with their ranges.
Beside it the same traffic with a broker's publish and subscribe, and with a core that sends to each edge by itself. It says plainly where the present design ends.`

const cannot = `Show that any of it works: nothing was run at these sizes. Costs are taken to stay what they are at 1,000 gateways and 100,000 sockets, on machines whose CPUs are as fast as this one's;
what people do is assumed. It leaves out failures and storms, the kernel's own limits, uneven edges, presence, blobs, the application's servers, and everything that gets worse with size in a way that nobody has measured yet.`

const sources = `Costs: see the table, each with the run or document that it is from. Prices: docs/terraform.md, list prices as far as known. Regions' coordinates: public descriptions. ` +
	`The shape of a working day: peaks at 11:00 and 14:00, as Slack has told of its own. All else about people is assumed, see the scenario.`

// sections makes the page's parts.
type sections struct {
	s *Scenario
	c *Costs
	z *sizing
	o *Outcome
}

// newReport is all but how it was made.
func newReport(s *Scenario, c *Costs, o *Outcome) (*report.Report, error) {
	a, err := newAtlas(s)
	if err != nil {
		return nil, err
	}
	f := middle(s, c)
	x := &sections{s, c, &sizing{s, a, &f}, o}
	r := &report.Report{
		Name: "planet", Title: fmt.Sprintf("Past the machine: %s to %s users, by a model", people(s.Users[0]), people(s.Users[len(s.Users)-1])),
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: s.String(), Shows: shows, Cannot: cannot, Sources: sources,
		Model: struct {
			*Outcome
			Costs *Costs `json:"costs"`
		}{o, c},
		Key: x.keys(),
	}
	for _, section := range []func() (report.Section, error){
		x.scarce, x.designEnds, x.centre, x.hotRooms, x.money, x.matters, x.everywhere, x.machine, x.gossip, x.prices,
	} {
		part, err := section()
		if err != nil {
			return nil, err
		}
		r.ModelSections = append(r.ModelSections, part)
	}
	return r, nil
}

// keys are the figures to begin with.
func (x *sections) keys() []report.Key {
	end := coreEnd(x.o.Ends)
	at := x.o.Sizes[len(x.o.Sizes)/2]
	last := x.o.Sizes[len(x.o.Sizes)-1]
	out := []report.Key{
		{Value: dollars(at.Million[tierRelays].Mid), Unit: fmt.Sprintf("USD, %s to %s", dollars(at.Million[tierRelays].Low), dollars(at.Million[tierRelays].High)), Text: "a month for a million of " + people(at.Users) + " users, 90 of 100 draws"},
		{Value: amount(last.Edges.Mid), Unit: fmt.Sprintf("edges, %s to %s", amount(last.Edges.Low), amount(last.Edges.High)), Text: fmt.Sprintf("of %.0f CPUs for %s users", x.s.EdgeMachine.CPUs, people(last.Users))},
		{Value: fmt.Sprintf("%.1f → %.1f", at.Gateways, at.Regions), Unit: "frames", Text: "that the centre sends per publish, " + people(at.Users) + " users: to each edge, and to relays"},
	}
	if end.Users > 0 {
		out = append([]report.Key{{Value: people(end.Users), Unit: "users", Text: "is where one cluster ends: " + end.Name}}, out...)
	}
	return out
}

// picture draws one.
func picture(title, alt string, p *report.Plot, err error) (report.Figure, error) {
	if err != nil {
		return report.Figure{}, fmt.Errorf("%s: %w", title, err)
	}
	svg, err := p.SVG(title + ". " + alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}

// with adds a picture.
func with(s *report.Section, title, alt string, p *report.Plot, err error) error {
	fig, err := picture(title, alt, p, err)
	if err == nil {
		s.Figures = append(s.Figures, fig)
	}
	return err
}
