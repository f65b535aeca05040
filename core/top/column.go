package top

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"selvedge/core/top/screen"
	"selvedge/topology"
)

// column is one column of the table of nodes.
type column struct {
	name  string // as --sort has it
	title string
	key   screen.Key // sorts by it; a letter of the title
	rank  int        // the highest go first where there is no room
	right bool
	// Either text or figure is what a node is sorted by, and cell what is shown,
	// the same for a region and for a node.
	text   func(node) string
	figure func(figures) float64
	cell   func(figures) string // nil = text
}

// columns are the table's, in order. The first one names the row.
var columns = []column{
	{name: "node", title: "NODE", key: "n", rank: 0, text: func(n node) string { return string(n.ID) }},
	{name: "role", title: "ROLE", key: "o", rank: 9, text: func(n node) string { return string(n.Role) }},
	{name: "state", title: "STATE", key: "t", rank: 1, text: node.stateText},
	{
		name: "load", title: "LOAD", key: "l", rank: 2, right: true,
		figure: func(f figures) float64 { return f.load }, cell: func(f figures) string { return fixed(f.load) },
	},
	{
		name: "sockets", title: "SOCKETS", key: "s", rank: 3, right: true,
		figure: func(f figures) float64 { return f.sockets }, cell: figures.socketsText,
	},
	{
		name: "users", title: "USERS", key: "u", rank: 10, right: true,
		figure: func(f figures) float64 { return f.users }, cell: func(f figures) string { return count(f.users) },
	},
	{
		name: "frames", title: "FRAMES/S", key: "f", rank: 7, right: true,
		figure: func(f figures) float64 { return f.frames }, cell: func(f figures) string { return rate(f.frames) },
	},
	{
		name: "delivered", title: "DELIV/S", key: "d", rank: 4, right: true,
		figure: func(f figures) float64 { return f.delivered }, cell: func(f figures) string { return rate(f.delivered) },
	},
	{
		name: "bytes", title: "BYTES/S", key: "b", rank: 11, right: true,
		figure: func(f figures) float64 { return f.bytes }, cell: func(f figures) string { return size(f.bytes) },
	},
	{
		name: "rtt", title: "RTT", key: "r", rank: 6, right: true,
		figure: func(f figures) float64 { return f.rtt }, cell: func(f figures) string { return millis(f.rtt) },
	},
	{
		name: "delay", title: "DELAY", key: "y", rank: 5, right: true,
		figure: func(f figures) float64 { return f.delay }, cell: func(f figures) string { return millis(f.delay) },
	},
	{
		name: "logs", title: "LOGS", key: "g", rank: 8, right: true,
		figure: func(f figures) float64 { return f.logs }, cell: func(f figures) string { return count(f.logs) },
	},
	{
		name: "up", title: "UP", key: "p", rank: 12, right: true,
		figure: func(f figures) float64 { return f.uptime }, cell: func(f figures) string { return age(f.uptime) },
	},
	{name: "version", title: "VERSION", key: "v", rank: 13, text: func(n node) string { return n.Version }},
}

func (n node) stateText() string {
	if !n.gone.IsZero() {
		return "gone"
	}
	return string(n.State)
}

func (f figures) socketsText() string {
	if f.limit > 0 {
		return count(f.sockets) + "/" + count(f.limit)
	}
	return count(f.sockets)
}

// statesText says how many of a region's nodes are ready.
func (r *region) statesText() string {
	ready := 0
	for _, n := range r.nodes {
		if n.gone.IsZero() && n.State == topology.StateReady {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, len(r.nodes))
}

// order is what the table is sorted by: a column, texts from A on and figures
// from the greatest on, or the other way round.
type order struct {
	column  int // of columns
	reverse bool
}

// parseOrder reads a column's name.
func parseOrder(name string) (order, bool) {
	i := slices.IndexFunc(columns, func(c column) bool { return c.name == name })
	return order{column: i}, i >= 0
}

// columnNames are all that parseOrder takes.
func columnNames() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// sort puts regions, and the nodes in each, in order. Who has no figure is last.
func (o order) sort(regions []region) {
	c := columns[o.column]
	for i := range regions {
		slices.SortStableFunc(regions[i].nodes, func(a, b node) int {
			if c.text != nil {
				return cmp.Or(o.turn(cmp.Compare(c.text(a), c.text(b))), cmp.Compare(a.ID, b.ID))
			}
			return cmp.Or(o.figures(c.figure(a.figures), c.figure(b.figures)), cmp.Compare(a.ID, b.ID))
		})
	}
	slices.SortStableFunc(regions, func(a, b region) int {
		if c.text != nil {
			if o.column == 0 {
				return o.turn(cmp.Compare(a.name, b.name))
			}
			return cmp.Compare(a.name, b.name)
		}
		return cmp.Or(o.figures(c.figure(a.figures), c.figure(b.figures)), cmp.Compare(a.name, b.name))
	})
}

func (o order) figures(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	}
	return o.turn(cmp.Compare(b, a))
}

func (o order) turn(c int) int {
	if o.reverse {
		return -c
	}
	return c
}
