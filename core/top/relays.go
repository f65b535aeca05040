package top

import "strings"

// relays says which edge takes which logs from a core, in at most room columns
// if any are given. Of edges that take none it says nothing.
func (p *picture) relays(room int) []line {
	cells := [][]string{{"RELAYS", "EDGE", "FROM", "LOGS", "WHICH"}}
	for _, f := range p.feeds {
		if len(f.Logs) == 0 && !f.State {
			continue
		}
		which := ranges(f.Logs)
		if f.State {
			which = strings.TrimSpace(which + " state")
		}
		cells = append(cells, []string{f.Region, string(f.Node), clean(string(f.core)), count(float64(len(f.Logs))), which})
	}
	if len(cells) == 1 {
		return nil
	}
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	if room > 0 {
		for i := range 3 { // names leave room for the logs
			widths[i] = min(widths[i], max(room/4, 8))
		}
	}
	var lines []line
	for at, row := range cells {
		s := plain
		if at == 0 {
			s = title
		}
		var l line
		for i, cell := range row {
			if i > 0 {
				l = append(l, span{gap, s})
			}
			l = append(l, span{pad(cell, widths[i], i == 3), s})
		}
		lines = append(lines, l)
	}
	return lines
}
