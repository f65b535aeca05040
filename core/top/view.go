package top

import (
	"fmt"
	"math"
	"strings"

	"selvedge/topology"
)

// view is the whole window: what all nodes have in common, the title of the
// table, as much of the body as there is room for, and what the keys do.
func (m *model) view() []string {
	if m.width <= 0 || m.height <= 0 {
		return nil
	}
	above := m.above()
	body := m.body()
	from := max(min(m.scroll, len(body)-m.window()), 0)
	to := min(from+m.window(), len(body))
	lines := append(above, body[from:to]...)
	for len(lines) < m.height-1 {
		lines = append(lines, nil)
	}
	lines = append(lines[:m.height-1], m.footer(from, to, len(body)))
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.cut(m.width).ansi()
	}
	return out
}

// window is how many lines of the body are seen at once.
func (m *model) window() int { return max(m.height-len(m.above())-1, 0) }

// above is what stays where it is when the body is scrolled.
func (m *model) above() []line {
	if m.help {
		return []line{say(bold, "selvedge top: what is shown"), nil}
	}
	if !m.drawn {
		return append([]line{say(bold, "selvedge top")}, m.trouble()...)
	}
	lines := m.picture.summary()
	lines[0] = append(lines[0], span{m.picture.at.Format("  15:04:05"), plain})
	head, _ := m.table()
	lines = append(lines, m.trouble()...)
	return append(lines, nil, head)
}

// table is the table of nodes, of those that are gone, too.
func (m *model) table() (head line, body []line) {
	p := m.picture
	p.nodes = append([]node(nil), p.nodes...)
	for _, n := range m.gone {
		p.nodes = append(p.nodes, n)
	}
	regions := p.regions()
	m.order.sort(regions)
	return table(rowsOf(regions), m.order, m.width)
}

// body is what is scrolled.
func (m *model) body() []line {
	if m.help {
		return explanation()
	}
	if !m.drawn {
		return nil
	}
	_, lines := m.table()
	if feeds := m.picture.relays(m.width); len(feeds) > 0 {
		lines = append(append(lines, nil), feeds...)
	}
	if m.old() {
		for i, l := range lines {
			lines[i] = l.faded(dim)
		}
	}
	return lines
}

// trouble says what is wrong with the answers.
func (m *model) trouble() []line {
	var lines []line
	say := func(s style, text string) {
		for _, part := range wrap(text, m.width, 3) {
			lines = append(lines, line{{part, s}})
		}
	}
	if m.old() {
		say(bad, fmt.Sprintf("OLD: this is how it was %s ago; trying on", age(m.now.Sub(m.picture.at).Seconds())))
	}
	for _, a := range m.problems {
		say(warn, clean(a.failure().Error()))
	}
	switch {
	case m.looks == 0:
		say(plain, "asking …")
	case !m.drawn:
		say(plain, "trying on …")
	case len(m.picture.epochs) > 1:
		say(bad, fmt.Sprintf("these cores are not of one cluster, or one starts afresh: their epochs are %s", strings.Join(m.picture.epochs, ", ")))
	}
	return lines
}

// footer says what the keys do, and which part of the body is seen.
func (m *model) footer(from, to, all int) line {
	keys := "q quit  ? help  underlined letters sort, again: reverse"
	if m.help {
		keys = "q quit  ? back"
	}
	if to-from == all {
		return say(dim, keys)
	}
	return say(dim, fmt.Sprintf("%d-%d of %d, up and down scroll  %s", from+1, to, all, keys))
}

// summary is what all nodes have in common, in three lines.
func (p *picture) summary() []line {
	cores := make([]string, len(p.cores))
	for i, id := range p.cores {
		cores[i] = clean(string(id))
	}
	states := map[topology.State]int{}
	roles := map[topology.Role]int{}
	for _, n := range p.nodes {
		states[n.State]++
		roles[n.Role]++
	}
	nodes := line{{many(roles[topology.RoleCore], "core") + ", " + many(roles[topology.RoleEdge], "edge"), plain}}
	for _, s := range []topology.State{topology.StateStarting, topology.StateDraining} {
		if states[s] > 0 {
			nodes = append(nodes, span{fmt.Sprintf(", %d %s", states[s], s), warn})
		}
	}
	all := together(p.nodes)
	inRegions := p.regionBytes
	if !math.IsNaN(all.fed) {
		inRegions += all.fed
	}
	nodes = append(nodes, span{fmt.Sprintf("   sockets %s   users %s", all.socketsText(), count(all.users)), plain})
	return []line{
		{{"selvedge top", bold}, {fmt.Sprintf("  %s  epoch %s  %s", strings.Join(cores, ", "), strings.Join(p.epochs, ", "), many(p.logs, "log")), plain}},
		nodes,
		say(plain, fmt.Sprintf("publishes %s/s   deliveries %s/s   to edges: oceans %s/s, region %s/s", rate(p.published), rate(all.delivered), size(p.oceans), size(inRegions))),
	}
}
