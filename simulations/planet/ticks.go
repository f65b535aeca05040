package planet

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"

	"selvedge/simulations/report"
)

// decades are ticks of a logarithmic axis at powers of ten, with words.
type decades struct{ say func(float64) string }

// Ticks is plot.Ticker's.
func (d decades) Ticks(low, high float64) (out []plot.Tick) {
	for ten := math.Floor(math.Log10(low)); ten <= math.Ceil(math.Log10(high)); ten++ {
		for _, k := range []float64{1, 3} {
			if v := k * math.Pow(10, ten); v >= low*0.999 && v <= high*1.001 {
				out = append(out, plot.Tick{Value: v, Label: d.say(v)})
			}
		}
	}
	return out
}

// logarithmic is a picture with two such axes.
func logarithmic(x, y string, height float64, xs, ys []float64, sayX, sayY func(float64) string) *report.Plot {
	p := report.NewPlot(x, y, height)
	for _, axis := range []struct {
		of     *plot.Axis
		values []float64
		say    func(float64) string
	}{{&p.X, xs, sayX}, {&p.Y, ys, sayY}} {
		axis.of.Scale, axis.of.Tick.Marker = plot.LogScale{}, decades{axis.say}
		axis.of.Min, axis.of.Max = math.Inf(1), 0
		for _, v := range axis.values {
			if v > 0 {
				axis.of.Min, axis.of.Max = min(axis.of.Min, v), max(axis.of.Max, v)
			}
		}
	}
	p.Y.Min, p.Y.Max = p.Y.Min*0.8, p.Y.Max*1.25
	p.Legend.Left = true
	p.Grid()
	return p
}

// amount is a number in short: 1.5 M.
func amount(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= u.size*0.9995 {
			return fmt.Sprintf("%.3g%s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g", v)
}

func bits(perSecond float64) string { return amount(perSecond) + "bit/s" }

// dollars is an amount of money.
func dollars(v float64) string {
	if v >= 10_000 {
		return amount(v)
	}
	return fmt.Sprintf("%.0f", v)
}
