package steer

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"selvedge/core/client"
	"selvedge/topology"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// What became of a node, by what cores tell one after the other.
func TestWatch(t *testing.T) {
	const ready, starting, draining = topology.StateReady, topology.StateStarting, topology.StateDraining
	closed, silent := fmt.Errorf("core: %w", syscall.ECONNREFUSED), errors.New("no answer")
	type look struct {
		cluster client.Cluster
		err     error // instead of cluster
		became  outcome
	}
	is := func(c client.Cluster, o outcome) look { return look{c, nil, o} }
	not := func(err error, o outcome) look { return look{client.Cluster{}, err, o} }
	for name, c := range map[string]struct {
		role  topology.Role
		every time.Duration
		looks []look
	}{
		"it leaves": {role: topology.RoleEdge, looks: []look{is(linked(draining, 3), waiting), is(with(), waiting), is(with(), left)}},
		"it is back": {role: topology.RoleEdge, looks: []look{
			is(linked(draining, 3), waiting), is(with(edge(starting)), waiting), is(with(edge(ready)), returned),
		}},
		"one core knows less than another": {role: topology.RoleEdge, looks: []look{
			is(with(edge(ready)), waiting), is(with(edge(draining)), waiting), is(with(), waiting), is(with(edge(draining)), waiting), is(with(), waiting), is(with(), left),
		}},
		"nobody answers": {role: topology.RoleEdge, every: 6 * time.Second, looks: []look{
			is(linked(draining, 3), waiting), not(closed, waiting), not(silent, waiting), not(closed, lost),
		}},
		"somebody answers again": {role: topology.RoleEdge, every: 6 * time.Second, looks: []look{
			not(silent, waiting), not(silent, waiting), is(with(edge(draining)), waiting), not(silent, waiting), not(silent, waiting), is(with(), waiting), is(with(), left),
		}},
		"the core that is asked leaves": {role: topology.RoleCore, looks: []look{not(silent, waiting), not(closed, waiting), not(closed, left)}},
		"a core says nothing":           {role: topology.RoleCore, every: 10 * time.Second, looks: []look{not(silent, waiting), not(silent, lost)}},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			w := newWatch(client.Draining{Node: "edge-1", Role: c.role}, now)
			for i, l := range c.looks {
				now = now.Add(max(c.every, lookEvery))
				var became outcome
				if l.err != nil {
					became = w.failed(now, l.err)
				} else {
					became = w.answered(now, &l.cluster)
				}
				if became != l.became {
					t.Errorf("look %d: %d, want %d", i, became, l.became)
				}
			}
		})
	}
}

// What is left is the sockets that an edge tells of, or the logs that edges take from a
// core that tells of itself.
func TestWhatIsLeft(t *testing.T) {
	e := newWatch(client.Draining{Node: "edge-1", Role: topology.RoleEdge}, noon)
	silent := linked(topology.StateDraining, 0)
	silent.Links[0].Uptime = 0
	for i, c := range []struct {
		cluster    client.Cluster
		open, most int
	}{
		{with(edge(topology.StateDraining)), -1, 0}, // no link
		{silent, -1, 0}, // it has told nothing
		{linked(topology.StateDraining, 40), 40, 40},
		{with(edge(topology.StateDraining)), 40, 40}, // another core
		{linked(topology.StateDraining, 7), 7, 40},
		{linked(topology.StateDraining, 0), 0, 40},
	} {
		e.answered(noon, &c.cluster)
		if e.open != c.open || e.most != c.most {
			t.Errorf("edge, %d: %d of %d, want %d of %d", i, e.open, e.most, c.open, c.most)
		}
	}
	core := newWatch(client.Draining{Node: "core-1", Role: topology.RoleCore}, noon)
	both := linked(topology.StateReady, 9)
	both.Links = append(both.Links, client.Link{Node: "edge-2"})
	core.answered(noon, &both)
	if core.open != 3 || core.what() != "logs" {
		t.Errorf("core: %d %s", core.open, core.what())
	}
	none := with()
	core.answered(noon, &none)
	if core.open != 0 || core.most != 3 {
		t.Errorf("core: %d of %d", core.open, core.most)
	}
	both.Core = "core-2"
	core.answered(noon, &both)
	if core.open != 0 {
		t.Errorf("another core's links count: %d", core.open)
	}
}
