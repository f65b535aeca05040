package mega

import (
	"fmt"
	"math"
	"time"

	"selvedge/simulations/report"
)

// best is the fastest loop over the most channels.
func (r *RoomsResult) best() Row {
	var best Row
	for _, row := range r.Rows {
		if row.Way == wayPersonal && (row.Channels > best.Channels || row.Channels == best.Channels && row.Whole < best.Whole) {
			best = row
		}
	}
	return best
}

// Keys are the figures to begin with.
func (r *RoomsResult) Keys() []report.Key {
	room, best := r.Rows[0], r.best()
	return []report.Key{{
		Value: figure(room.Handler), Unit: "ms",
		Text: fmt.Sprintf("for which a backend is busy to tell a room of %d; a loop over %d personal channels takes %s at best (%s)", r.Members, best.Channels, seconds(best.Whole), best.How),
	}}
}

// seconds is ms for people.
func seconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(100 * time.Millisecond).String()
}

// Sections are the part of a report that shows it.
func (r *RoomsResult) Sections() ([]report.Section, error) {
	room, best := r.Rows[0], r.best()
	s := report.Section{
		Title: fmt.Sprintf("A room of %d against personal channels", r.Members),
		Text: []string{
			fmt.Sprintf("Everybody is told one thing of %d bytes: by one publish to a room with all as members, or, as the baseline, by a loop over a channel for each user (inbox:ID), at the same core and %d edges. "+
				"%d of the %d are connected, by real sockets; the order of a loop is random, so the last of these comes towards its end.", r.MessageBytes, r.Edges, r.Sockets, r.Members),
			fmt.Sprintf("The caller of the room is busy for %s ms; that of %d channels for %s at best (%s), %s times as long, for which the core uses %s ms of CPU instead of %s, "+
				"and stores %s KiB instead of %s.",
				figure(room.Handler), best.Channels, seconds(best.Whole), best.How, figure(best.Whole/room.Handler), figure(best.CoreCPU*best.Whole/best.Handler), figure(room.CoreCPU),
				figure(best.Stored*best.Whole/best.Handler/1024), figure(room.Stored/1024)),
			"The loops are what a backend of this API can do: one after the other over a connection that is kept, several connections, or many messages in a call. The caller is Go’s HTTP client on the same CPUs as the core.",
		},
	}
	p, err := r.plot()
	fig, err := picture("How long the caller is busy", "Milliseconds to the last acknowledgement, by the number of channels: one for the room, one per user in the loops. Both axes are logarithmic.", p, err)
	if err != nil {
		return nil, err
	}
	s.Figures = []report.Figure{fig}
	t := report.Table{
		Caption: "To tell everybody; x: extrapolated from the part that was published. The baseline is the loops",
		Head: []string{
			"way", "channels", "published", "caller busy, ms", "of all channels, ms", "last receipt, ms", "receipts", "lost, twice",
			"CPU of the caller, ms", "of the core, ms", "of the edges, ms", "stored, KiB", "out of the core, KiB",
		},
	}
	for _, row := range r.Rows {
		whole := figure(row.Whole)
		if row.Extrapolated {
			whole += " x"
		}
		t.Rows = append(t.Rows, []string{
			row.Way + ", " + row.How, fmt.Sprint(row.Channels), fmt.Sprint(row.Published), figure(row.Handler), whole, figure(row.Last), fmt.Sprint(row.Receipts),
			fmt.Sprintf("%d, %d", row.Lost, row.Doubled),
			figure(row.CallerCPU), figure(row.CoreCPU), figure(row.EdgeCPU), figure(row.Stored / 1024), figure(row.LinkBytes / 1024),
		})
	}
	s.Tables = []report.Table{t}
	return []report.Section{s}, nil
}

// plot is the caller's time by the number of channels.
func (r *RoomsResult) plot() (*report.Plot, error) {
	p := report.NewPlot("channels", "ms", 300)
	p.Log(true, true)
	p.Grid()
	low, high := math.Inf(1), 0.0
	lines := map[string][]report.Point{}
	var order []string
	for _, row := range r.Rows {
		v := max(row.Whole, 0.01)
		low, high = min(low, v), max(high, v)
		if row.Way == wayRoom {
			lines[row.How] = []report.Point{{X: 1, Y: v}, {X: float64(r.Members), Y: v}}
			order = append(order, row.How)
			continue
		}
		if lines[row.How] == nil {
			order = append(order, row.How)
		}
		lines[row.How] = append(lines[row.How], report.Point{X: float64(row.Channels), Y: v})
	}
	p.X.Min, p.X.Max = 1, float64(max(r.Members, 2))
	p.Y.Min, p.Y.Max = low/2, high*2
	for i, how := range order {
		name := how
		if i == 0 {
			name = fmt.Sprintf("the room, with any number of members up to %d", r.Members)
		}
		if err := p.Line(name, i, i == 0, lines[how]); err != nil {
			return nil, err
		}
	}
	p.Legend.Left = true
	return p, nil
}
