package million

import (
	"fmt"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const shows = `What it takes to hold this many real WebSockets on one machine: real edges, a real core, real kernel sockets at both ends. Every socket signed in,
was welcomed, is a member of two rooms, and got each message that it should get, once: they were counted.`

const cannot = `Say how it is with users far away: everything is on loopback, so nothing is lost and no link has a bandwidth. The clients share the CPUs with the edges, and their half of
the kernel's sockets is on this machine, too. Sockets are plain, as behind a load balancer that ends TLS.`

// hostNote says what host time is here.
const hostNote = `with real processes and real sockets on this machine.`

// newReport is all but how it was made.
func newReport(s *Scenario, o *Outcome) (*report.Report, error) {
	r := &report.Report{
		Name: "million", Title: fmt.Sprintf("%s WebSockets on one machine", count(o.Sockets)),
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: s.String(), Shows: shows, Cannot: cannot, Sources: "Everything was measured in this run.",
		Host: o, HostNote: hostNote, Key: keys(o),
	}
	for _, section := range []func(*Scenario, *Outcome) (report.Section, error){memory, arrival, idleness, toAll, toTeams, keeping, arithmetic} {
		part, err := section(s, o)
		if err != nil {
			return nil, err
		}
		r.HostSections = append(r.HostSections, part)
	}
	return r, nil
}

func keys(o *Outcome) []report.Key {
	return []report.Key{
		{Value: count(o.Sockets), Unit: "sockets", Text: fmt.Sprintf("welcomed at the same time, at %d edges; all in after %.0f s", o.Edges, o.Welcomed)},
		{Value: num(o.EdgePerSocket / kib), Unit: "KiB", Text: fmt.Sprintf("of an edge's memory per idle socket; the kernel's two ends take %s KiB more, a client of the load %s", num(o.KernelPerSocket/kib), num(o.ClientPerSocket/kib))},
		{Value: num(o.Publish.Last / 1e3), Unit: "s", Text: fmt.Sprintf("from one publish to the last of %s receipts; lost %d, doubled %d", count(o.Publish.Members), o.Publish.Lost, o.Publish.Doubled)},
		{Value: num(o.Teams.P50), Unit: fmt.Sprintf("ms, p99 %s", num(o.Teams.P99)), Text: fmt.Sprintf("to the members of a room of %d, while all are there", o.Team)},
		{Value: num(o.Idle.Machine), Unit: "%", Text: fmt.Sprintf("of %d CPUs while nothing happens, clients included: a ping each %.0f s per socket", o.CPUs, o.Ping)},
	}
}

const kib = 1 << 10

// memory says who takes it.
func memory(_ *Scenario, o *Outcome) (report.Section, error) {
	p, err := report.Bars("KiB per socket", []string{"kernel, both ends", "edge", "client of the load", "core, with memberships"}, []string{"memory"},
		[][]float64{{o.KernelPerSocket / kib, o.EdgePerSocket / kib, o.ClientPerSocket / kib, o.inCore() / kib}})
	if err != nil {
		return report.Section{}, err
	}
	alt := fmt.Sprintf("What one idle socket takes: %s KiB in the kernel for both ends, %s KiB in its edge, %s KiB in the load process that is its client, %s KiB in the core, with its user's memberships.",
		num(o.KernelPerSocket/kib), num(o.EdgePerSocket/kib), num(o.ClientPerSocket/kib), num(o.inCore()/kib))
	svg, err := p.SVG(alt)
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title: "What a socket takes",
		Text: []string{
			"Before: all processes are there, the rooms are filled, and a few sockets came and went at each edge. After: all are welcomed and have been idle for a while. Per socket is the difference.",
			"Edges, load and core: VmRSS, of which anonymous is RssAnon, so not the pages of the program, which all processes share. The garbage collector has its defaults and is not told to run.",
		},
		Figures: []report.Figure{{Title: "Memory per idle socket", Alt: alt, SVG: svg}},
		Tables:  []report.Table{memoryTable(o), objectTable(o)},
	}, nil
}

// memoryTable is what all take before and after.
func memoryTable(o *Outcome) report.Table {
	m := &o.Details.Memory
	t := report.Table{Caption: "Memory, MiB; per socket in bytes", Head: []string{"", "processes only", "before", "after", "difference", "per socket"}}
	row := func(name string, of func(f *footprint) int64) {
		cells := []string{name}
		for _, f := range []*footprint{&m.Empty, &m.Before, &m.After} {
			cells = append(cells, fmt.Sprintf("%.1f", float64(of(f))/mib))
		}
		grown := float64(of(&m.After) - of(&m.Before))
		t.Rows = append(t.Rows, append(cells, fmt.Sprintf("%.1f", grown/mib), fmt.Sprintf("%.0f", grown/float64(o.Sockets))))
	}
	row("kernel: objects of sockets", func(f *footprint) int64 { return grown(m.Empty.Kernel, f.Kernel) })
	row("kernel: tables of files and pages", func(f *footprint) int64 { return f.Kernel.PageTables + f.Kernel.Vmalloc })
	row("kernel: all objects (Slab)", func(f *footprint) int64 { return f.Kernel.Slab })
	row("kernel: buffers by TCP's own account", func(f *footprint) int64 { return f.Kernel.SocketPages })
	row("edges", func(f *footprint) int64 { return f.Edges.Resident })
	row("edges, anonymous", func(f *footprint) int64 { return f.Edges.Anonymous })
	row("load processes", func(f *footprint) int64 { return f.Clients.Resident })
	row("load processes, anonymous", func(f *footprint) int64 { return f.Clients.Anonymous })
	row("core", func(f *footprint) int64 { return f.Core.Resident })
	row("core, anonymous", func(f *footprint) int64 { return f.Core.Anonymous })
	row("available to others", func(f *footprint) int64 { return f.Kernel.Available })
	return t
}

// smallObject is what a kind of objects must have grown by to be told of, in bytes
// per socket.
const smallObject = 4

// objectTable says what the kernel's objects are, if it is known.
func objectTable(o *Outcome) report.Table {
	m := &o.Details.Memory
	t := report.Table{Caption: "The kernel's objects by kind, bytes per socket (both ends)", Head: []string{"kind", "growth", "of it sockets'"}, Folded: true}
	before, after := m.Before.Kernel, m.After.Kernel
	for _, name := range sortedByGrowth(before.Caches, after.Caches) {
		all := float64(after.Caches[name].Bytes-before.Caches[name].Bytes) / float64(o.Sockets)
		if all < smallObject {
			break
		}
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%.0f", all), fmt.Sprintf("%.0f", float64(grownKind(before, after, name))/float64(o.Sockets))})
	}
	if t.Rows == nil {
		t.Caption = "The kernel's objects by kind: only root may know (/proc/slabinfo); all objects were counted"
	}
	return t
}
