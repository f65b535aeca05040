package gossip

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/topology"
	"selvedge/topology/region"
)

// world is twenty regions all over it.
var world = []string{
	"us-east", "us-west", "eu-west", "eu-north", "ap-southeast", "ap-northeast", "ap-south", "sa-east", "af-south", "me-central",
	"eastus", "westus", "northeurope", "westeurope", "southeastasia", "japaneast", "australiaeast", "brazilsouth", "southafricanorth", "koreacentral",
}

// perRegion is how many nodes each region of the world has.
const perRegion = 5

// acrossTheWorld is half the round trip between the regions of two nodes.
func acrossTheWorld(t *testing.T) func(from, to *simNode) time.Duration {
	t.Helper()
	ways := make([][]time.Duration, len(world))
	for i, a := range world {
		for _, b := range world {
			rtt, ok, _ := region.RTT(a, b)
			if !ok {
				t.Fatalf("%s or %s is no region", a, b)
			}
			ways[i] = append(ways[i], rtt/2)
		}
	}
	return func(from, to *simNode) time.Duration {
		return ways[from.index/perRegion%len(world)][to.index/perRegion%len(world)]
	}
}

// A cluster that is parted into halves for a minute, so that each half takes all of
// the other for dead, is whole again within 15 s: every node knows every other, and
// as it is now. It takes no seed for that: the second time, the only one is gone for
// good meanwhile.
func TestHalvesMeet(t *testing.T) {
	for place, c := range map[string]struct {
		oneWay   func(from, to *simNode) time.Duration
		seedless bool
	}{
		"one region":     {everywhere(500 * time.Microsecond), false},
		"twenty regions": {acrossTheWorld(t), true},
	} {
		t.Run(place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { halvesMeet(t, c.oneWay, c.seedless) })
		})
	}
}

func halvesMeet(t *testing.T, oneWay func(from, to *simNode) time.Duration, seedless bool) {
	c := &simCluster{net: &simNet{oneWay: oneWay}}
	c.start(t, size)
	<-time.After(rand.N(10 * time.Second))
	c.net.part(func(n *simNode) bool { return n.index < size/2 })
	parted := time.Now()
	there := c.nodes
	if seedless {
		if err := c.nodes[0].Close(); err != nil {
			t.Error(err)
		}
		there = there[1:]
	}
	for i, g := range there {
		half := size / 2
		if i+size-len(there) < half {
			half -= size - len(there)
		}
		await(t, g, "the halves are parted", 30*time.Second, func(s topology.Snapshot) bool { return s.Len() == half })
	}
	for i, g := range there { // what nobody of the other half hears
		if err := g.Update(func(n *topology.Node) { n.Zone = fmt.Sprint(i) }); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(time.Minute - time.Since(parted))
	c.net.part(nil)
	healed := time.Now()
	last := there[len(there)-1]
	for _, g := range there {
		await(t, g, "all know all", 15*time.Second-time.Since(healed), func(s topology.Snapshot) bool { return whole(s, len(there)) })
	}
	t.Logf("whole again after %v", time.Since(healed))
	for _, g := range there {
		if !slices.Equal(g.Snapshot().Nodes(), last.Snapshot().Nodes()) {
			t.Errorf("%s and %s know other nodes", g.Addr(), last.Addr())
		}
	}
	c.close(t)
}

// whole says that a snapshot has n nodes, each with what it said last.
func whole(s topology.Snapshot, n int) bool {
	return s.Len() == n && !slices.ContainsFunc(s.Nodes(), func(n topology.Node) bool { return n.Zone == "" })
}

// For figures: -crashes 150, -loss 0.
var (
	crashCount = flag.Int("crashes", 4, "how many nodes crash, of a large cluster")
	packetLoss = flag.Float64("loss", 0.05, "how many packets a large cluster loses, 0..1")
)

// Of many nodes, on a network that loses one packet in twenty, those that crash are
// found, and nobody else is taken for dead. How soon is chance; see Timing.
func TestCrashesAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := crashes(t, acrossTheWorld(t), *crashCount)
		at := func(share float64) time.Duration { return took[int(float64(len(took)-1)*share)] }
		t.Logf("%d nodes, %d crashes: known to all after %v, 90%% %v, 99%% %v, at worst %v", size, len(took), at(0.5), at(0.9), at(0.99), at(1))
		if at(0.5) >= 5*time.Second || at(1) > 15*time.Second {
			t.Errorf("%d nodes: known to all after %v", size, took)
		}
	})
}

// crashes lets nodes crash one after the other, and come back. It returns how long
// each took to be known to all, the shortest first.
func crashes(t *testing.T, oneWay func(from, to *simNode) time.Duration, n int) []time.Duration {
	c := &simCluster{net: &simNet{oneWay: oneWay, loss: *packetLoss}}
	c.start(t, size)
	var took []time.Duration
	for range n {
		<-time.After(10*time.Second + rand.N(5*time.Second))
		i := 1 + rand.N(size-1)
		before := c.deaths() - c.nodes[i].members.generation()
		crashed := time.Now()
		if err := c.nodes[i].Close(); err != nil {
			t.Error(err)
		}
		others := slices.Delete(slices.Clone(c.nodes), i, i+1)
		for _, g := range others {
			await(t, g, "the crash is known", 30*time.Second, func(s topology.Snapshot) bool { return s.Len() == size-1 })
		}
		took = append(took, time.Since(crashed))
		c.again(t, i)
		for _, g := range c.nodes {
			await(t, g, "it is back", 60*time.Second, func(s topology.Snapshot) bool { return s.Len() == size })
		}
		if changes := c.deaths() - c.nodes[i].members.generation() - before; changes != 2*uint64(size-1) {
			t.Errorf("%d nodes saw %d changes; want that one goes and comes", size-1, changes)
		}
	}
	c.close(t)
	slices.Sort(took)
	return took
}
