package planet

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed data/costs.yaml
var frozen []byte

// Costs are what the model is calibrated with. They are plain data; a file of them is
// frozen in the repository (data/costs.yaml).
type Costs struct {
	// Fitted tells of the runs that the laws were fitted to; none = not calibrated yet.
	Fitted []Fitted `yaml:"fitted"`
	// Tiers are laws of one fan-out on that machine, by the tier's name.
	Tiers map[string]Tier `yaml:"tiers"`
	Crowd *Crowd          `yaml:"crowd"` // of many sockets on that machine; nil = not fitted
	Each  Figures         `yaml:"costs"`
}

// Fitted is a run that laws were fitted to.
type Fitted struct {
	Simulation string    `yaml:"simulation"`
	Command    string    `yaml:"command"`
	Seed       uint64    `yaml:"seed"`
	Commit     string    `yaml:"commit"`
	Made       time.Time `yaml:"made"`
	Machine    string    `yaml:"machine"`
	CPUs       int       `yaml:"cpus"`
	Quick      bool      `yaml:"quick"`
	Sizes      []int     `yaml:"sizes"` // of the rows that were looked at
}

// Law is what n of something cost: Fixed + Per x n.
type Law struct {
	Fixed float64 `yaml:"fixed"`
	Per   float64 `yaml:"per"`
	// Off is by how much the worst of the points is off the law, as a part of itself.
	Off float64 `yaml:"off"`
}

func (l Law) at(n int) float64 { return l.Fixed + l.Per*float64(n) }

// Tier is how one fan-out goes, by the number of gateways, one publish at a time.
type Tier struct {
	Last    Law `yaml:"last_ms"`        // until the last receipt, median of publishes; for what was measured: see last
	Centre  Law `yaml:"centre_cpu_us"`  // per publish
	Thread  Law `yaml:"thread_cpu_us"`  // per publish, of the busiest process of a centre whose processes have one thread; else zero
	Bytes   Law `yaml:"centre_bytes"`   // per publish, out of the centre
	Wire    Law `yaml:"loopback_bytes"` // per publish, all that loopback carried
	Relays  Law `yaml:"relays_cpu_us"`  // per publish, of all edge processes together
	Clients Law `yaml:"clients_cpu_us"` // per publish, of all load processes together
	Idle    Law `yaml:"idle_cpu_ms"`    // per second, of all of them, with nothing published
	Payload int `yaml:"payload_bytes"`  // of each message
	Points  int `yaml:"points"`         // rows that were fitted
	At      int `yaml:"at_most"`        // the largest n of them
}

// laws are all of them by their names in the file.
func (t *Tier) laws() map[string]*Law {
	return map[string]*Law{
		"last_ms": &t.Last, "centre_cpu_us": &t.Centre, "thread_cpu_us": &t.Thread, "centre_bytes": &t.Bytes, "loopback_bytes": &t.Wire,
		"relays_cpu_us": &t.Relays, "clients_cpu_us": &t.Clients, "idle_cpu_ms": &t.Idle,
	}
}

// Frozen are the costs in the repository.
func Frozen() (Costs, error) { return readCosts(frozen) }

// LoadCosts reads a file of costs. Unknown names, other units, and figures that are
// none are refused.
func LoadCosts(file string) (Costs, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Costs{}, err
	}
	c, err := readCosts(text)
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func readCosts(text []byte) (Costs, error) {
	var c Costs
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(&c); err != nil {
		return c, errors.New(yaml.FormatError(err, false, false))
	}
	return c, c.check()
}

func (c *Costs) check() error {
	for _, f := range c.Each.all() {
		switch {
		case f.cost.Unit != f.unit:
			return fmt.Errorf("costs.%s: its unit is %q, and must be %q", f.name, f.cost.Unit, f.unit)
		case !finite(f.cost.Value):
			return fmt.Errorf("costs.%s: %v: want a number from 0 on", f.name, f.cost.Value)
		case f.cost.Source == "":
			return fmt.Errorf("costs.%s: it doesn't say where it came from", f.name)
		}
	}
	for name, t := range c.Tiers {
		for what, l := range t.laws() {
			if !finite(l.Fixed) || !finite(l.Per) {
				return fmt.Errorf("tiers.%s.%s: %+v: want numbers from 0 on", name, what, *l)
			}
		}
	}
	if w := c.Crowd; w != nil {
		for what, v := range w.figures() {
			if !finite(v) {
				return fmt.Errorf("crowd.%s: %v: want a number from 0 on", what, v)
			}
		}
	}
	return nil
}

// largest bounds figures, so that no sum of them overflows.
const largest = 1e15

// finite also refuses NaN.
func finite(v float64) bool { return v >= 0 && v <= largest && !math.IsNaN(v) }

// String is c as a file that LoadCosts reads.
func (c *Costs) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return err.Error() // plain data always can be
	}
	return string(text)
}
