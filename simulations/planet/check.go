package planet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// allowed is how far a prediction may be off, as a part of what was measured.
const allowed = 0.25

// verdict is a prediction beside what was measured.
type verdict struct {
	What      string  `json:"what"`
	Unit      string  `json:"unit"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
	// Judged: it fails the check when it is off. The others are shown only.
	Judged bool `json:"judged"`
}

func (v verdict) ratio() float64 { return v.Predicted / v.Measured }

// off is false for nothing but a number that is near enough.
func (v verdict) off() bool { return !(math.Abs(v.ratio()-1) <= allowed) }

// predict says beforehand what the runs in files found that are larger than what laws
// were fitted to.
func (c *Costs) predict(files []string) ([]verdict, error) {
	var out []verdict
	for _, file := range files {
		r, err := readRun(file)
		if err != nil {
			return nil, err
		}
		of := c.predictFanout
		if r.Name == millionName {
			of = c.predictMillion
		}
		more, err := of(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, more...)
	}
	return out, nil
}

func (c *Costs) predictFanout(r *run) ([]verdict, error) {
	rows, _, err := r.fanout(func(n int) bool { return n > maxGateways })
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no row has more than %d gateways: there is nothing to predict", maxGateways)
	}
	var out []verdict
	for _, row := range rows {
		t, ok := c.Tiers[row.Tier]
		if !ok {
			return nil, fmt.Errorf("tier %s: the costs have no law for it: --calibrate first", row.Tier)
		}
		name := fmt.Sprintf("%s, %d gateways, %s: ", row.Tier, row.N, row.Mode)
		cpus := r.Machine.CPUs
		last, can := t.last(row.N, cpus)
		judged := can && row.Mode == single
		if row.Mode == single {
			out = append(out, verdict{What: name + "with nothing published", Unit: "% of CPUs", Measured: row.Idle / 10 / float64(max(cpus, 1)), Predicted: 100 * t.idle(row.N, cpus)})
		} else {
			last, _ = t.paced(row.N, row.Rate, float64(row.Publishes)/row.Rate, cpus)
		}
		if can || row.Mode != single {
			out = append(out, verdict{What: name + "last receipt, p50", Unit: "ms", Measured: row.Last.P50, Predicted: last, Judged: judged})
		}
		out = append(out,
			verdict{What: name + "CPU of the centre per publish", Unit: "us", Measured: row.Centre, Predicted: t.Centre.at(row.N), Judged: judged && t.central(row.N)},
			verdict{What: name + "bytes out of the centre per publish", Unit: "B", Measured: row.Bytes, Predicted: t.Bytes.at(row.N)})
	}
	return out, nil
}

// central reports whether the centre does a good part of the work: where relays and edges
// do, what it takes is less than what a silent second of it differs from another.
func (t *Tier) central(n int) bool {
	return t.Centre.at(n) >= 0.1*(t.Centre.at(n)+t.Relays.at(n)+t.Clients.at(n))
}

func (c *Costs) predictMillion(r *run) ([]verdict, error) {
	row, err := r.million(func(n int) bool { return n > maxSockets })
	if err != nil {
		return nil, err
	}
	if c.Crowd == nil {
		return nil, errors.New("the costs have no law of many sockets: --calibrate first")
	}
	n := row.Sockets
	name := fmt.Sprintf("%d sockets: ", n)
	return []verdict{
		{What: name + "memory in all", Unit: "GiB", Measured: row.Memory / (1 << 30), Predicted: (row.bare() + c.Crowd.Memory*float64(n)) / (1 << 30), Judged: true},
		{What: name + "with nothing published", Unit: "% of CPUs", Measured: row.Silent.Machine, Predicted: c.Crowd.idle(row) / 1e4 / float64(row.CPUs)},
		{What: name + "until all are welcomed", Unit: "s", Measured: row.Welcomed, Predicted: c.Crowd.welcomed(row), Judged: true},
		{What: name + "one publish to all, last receipt", Unit: "ms", Measured: row.Publish.Last, Predicted: c.Crowd.last(row), Judged: true},
	}, nil
}

// errOff: a prediction is off by more than is allowed.
var errOff = errors.New("predictions are off")

// show prints all, and fails with errOff if one that counts is off.
func show(out io.Writer, all []verdict) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(w, "what\tpredicted\tmeasured\tratio\t")
	failed := 0
	for _, v := range all {
		says := "not judged"
		switch {
		case v.Judged && v.off():
			says, failed = "OFF", failed+1
		case v.Judged:
			says = "holds"
		}
		_, wrong := fmt.Fprintf(w, "%s\t%.4g %s\t%.4g %s\t%.2f\t%s\n", v.What, v.Predicted, v.Unit, v.Measured, v.Unit, v.ratio(), says)
		err = errors.Join(err, wrong)
	}
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of those that are judged by more than %.0f %%", errOff, failed, 100*allowed)
	}
	return nil
}
