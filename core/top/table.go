package top

import (
	"slices"
	"strings"

	"selvedge/topology"
)

const (
	gap       = "  " // between columns
	leastName = 16   // columns that names get at least where others could be left out
)

// row is a row of the table of nodes: a cell for each of columns.
type row struct {
	cells  []string
	styles []style
}

// rowsOf are the rows of regions: one for the region, then one for each node.
func rowsOf(regions []region) []row {
	var rows []row
	for _, r := range regions {
		rows = append(rows, r.row())
		for _, n := range r.nodes {
			rows = append(rows, n.row())
		}
	}
	return rows
}

// row is the region's own: what its edges have together, if it has several.
func (r *region) row() row {
	edges := 0
	for _, n := range r.nodes {
		if n.Role == topology.RoleEdge {
			edges++
		}
	}
	out := row{make([]string, len(columns)), slices.Repeat([]style{bold}, len(columns))}
	for i, c := range columns {
		switch {
		case i == 0:
			out.cells[i] = r.name
		case c.name == "state":
			out.cells[i] = r.statesText()
		case c.cell != nil && c.name != "up" && edges > 1:
			out.cells[i] = c.cell(r.figures)
		}
	}
	return out
}

// row is the node's.
func (n node) row() row {
	out := row{make([]string, len(columns)), make([]style, len(columns))}
	for i, c := range columns {
		if c.cell != nil {
			out.cells[i] = c.cell(n.figures)
		} else {
			out.cells[i] = c.text(n)
		}
		switch {
		case !n.gone.IsZero():
			out.styles[i] = dim
		case c.name == "load" && n.load >= 0.95:
			out.styles[i] = bad
		case c.name == "load" && n.load >= 0.8:
			out.styles[i] = warn
		case c.name == "state" && n.State == topology.StateReady:
			out.styles[i] = good
		case c.name == "state":
			out.styles[i] = warn
		}
		if c.name == "state" && !n.gone.IsZero() {
			out.styles[i] = bad
		}
	}
	out.cells[0] = gap + out.cells[0]
	return out
}

// fit chooses the columns that have room, and their widths. What the table is
// sorted by stays as long as anything. No room given = all columns, as wide as
// they are.
func fit(rows []row, o order, room int) (chosen, widths []int) {
	natural := make([]int, len(columns))
	for i, c := range columns {
		natural[i] = width(c.title)
		if i == o.column {
			natural[i] += width(o.mark())
		}
		for _, r := range rows {
			natural[i] = max(natural[i], width(r.cells[i]))
		}
		chosen = append(chosen, i)
	}
	others := func() (sum int) { // what all but the names take
		for _, i := range chosen[1:] {
			sum += len(gap) + natural[i]
		}
		return sum
	}
	for room > 0 && len(chosen) > 1 && min(natural[0], leastName)+others() > room {
		last := slices.MaxFunc(chosen[1:], func(a, b int) int { return o.rank(a) - o.rank(b) })
		chosen = slices.DeleteFunc(chosen, func(i int) bool { return i == last })
	}
	for _, i := range chosen {
		widths = append(widths, natural[i])
	}
	if room > 0 {
		widths[0] = min(natural[0], max(room-others(), 1))
	}
	return chosen, widths
}

// mark stands beside the title that the table is sorted by: where it points to,
// figures are small, or texts begin.
func (o order) mark() string {
	if (columns[o.column].text != nil) == o.reverse {
		return "▼"
	}
	return "▲"
}

// rank is a column's, but that the one that the table is sorted by stays.
func (o order) rank(i int) int {
	if i == o.column {
		return 0
	}
	return columns[i].rank
}

// table is the title and the lines of rows, in at most room columns.
func table(rows []row, o order, room int) (head line, body []line) {
	chosen, widths := fit(rows, o, room)
	for at, i := range chosen {
		c := columns[i]
		if at > 0 {
			head = append(head, span{gap, title})
		}
		text := c.title
		if i == o.column {
			text += o.mark()
		}
		head = append(head, c.head(pad(text, widths[at], c.right))...)
	}
	for _, r := range rows {
		var l line
		for at, i := range chosen {
			if at > 0 {
				l = append(l, span{gap, plain})
			}
			l = append(l, span{pad(r.cells[i], widths[at], columns[i].right), r.styles[i]})
		}
		body = append(body, l)
	}
	return head, body
}

// head is the column's title with its key's letter marked.
func (c column) head(text string) line {
	i := strings.Index(text, strings.ToUpper(string(c.key)))
	if i < 0 { // it is cut off
		return say(title, text)
	}
	return line{{text[:i], title}, {text[i : i+1], letter}, {text[i+1:], title}}
}
