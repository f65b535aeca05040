package gossip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/topology"
)

// sealed is a message as memberlist seals it.
func sealed(key []byte, cluster, plain string) []byte {
	k, err := newKeys([][]byte{key})
	if err != nil {
		panic(err)
	}
	out := append([]byte{sealVersion}, bytes.Repeat([]byte{7}, nonceSize)...)
	return k.seal[0].Seal(out, out[1:], []byte(plain), []byte(cluster))
}

// labelled puts a cluster's name in front.
func labelled(cluster string, b []byte) []byte {
	if cluster == "" {
		return b
	}
	return append(append([]byte{labelMagic, byte(len(cluster))}, cluster...), b...)
}

// sealedStream is a message as memberlist begins a stream with.
func sealedStream(key []byte, cluster, plain string) []byte {
	k, err := newKeys([][]byte{key})
	if err != nil {
		panic(err)
	}
	header := binary.BigEndian.AppendUint32([]byte{encrypted}, uint32(leastSealed+len(plain)))
	nonce := bytes.Repeat([]byte{7}, nonceSize)
	out := append(append(bytes.Clone(header), sealVersion), nonce...)
	return labelled(cluster, k.seal[0].Seal(out, nonce, []byte(plain), append(header, cluster...)))
}

// counts are a node's refusals, in the order of Refusals.
func counts(g *Gossip) string {
	var out []string
	for _, why := range Refusals() {
		out = append(out, fmt.Sprintf("%s %d", why, g.Refused(why)))
	}
	return strings.Join(out, ", ")
}

// A node with a wrong key, or of another cluster, tries for three minutes: it is
// told what is wrong, none of it gets in, all is counted, and the log has a line a
// minute for each of them.
func TestStrangersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said lockedBuffer
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}, cluster: "green", logger: textLog(&said)}
		c.start(t, 3)
		before := c.deaths()
		strangers := []struct {
			g    *Gossip
			want error
			why  Refusal
		}{
			{c.join(t, "keyless", fileOf("x")), ErrWrongKey, RefusedKey},
			{c.join(t, "bluish", fileOf("o"), func(c *Config) { c.Cluster = "blue" }), ErrWrongCluster, RefusedCluster},
			{c.join(t, "nameless", fileOf("o"), func(c *Config) { c.Cluster = "" }), ErrWrongCluster, RefusedCluster},
		}
		<-time.After(3 * time.Minute)
		for _, s := range strangers {
			if err := s.g.LastError(); !errors.Is(err, s.want) {
				t.Errorf("%v: %v, want %v", ids(s.g), err, s.want)
			}
			if s.g.Snapshot().Len() != 1 {
				t.Errorf("it knows %v", ids(s.g))
			}
		}
		if n := c.deaths(); n != before {
			t.Errorf("nodes went or came %d times", n-before)
		}
		if key, cluster := c.nodes[0].Refused(RefusedKey), c.nodes[0].Refused(RefusedCluster); key < 20 || cluster < 2*20 {
			t.Errorf("refused: %s", counts(c.nodes[0]))
		}
		// In a simulation all streams come from "pipe".
		for _, why := range []Refusal{RefusedKey, RefusedCluster} {
			if n := strings.Count(said.String(), "reason="+string(why)); n < 3 || n > 4 {
				t.Errorf("%d lines of %s in three minutes:\n%s", n, why, said.String())
			}
		}
		c.close(t)
	})
}

// What a stranger may send as packets. None of it gets in or disturbs anybody.
func TestHostilePackets(t *testing.T) {
	ours, theirs := keyOf("o"), keyOf("x")
	for _, cluster := range []string{"", "green"} {
		for name, c := range map[string]struct {
			packet []byte
			why    Refusal
		}{
			"noise":              {[]byte("hello, is anybody there at this port?"), RefusedForm},
			"short":              {labelled(cluster, []byte{sealVersion}), RefusedForm},
			"label alone":        {[]byte{labelMagic}, RefusedForm},
			"label without name": {[]byte{labelMagic, 0, 1, 2}, RefusedForm},
			"label cut":          {[]byte{labelMagic, 200, 'a'}, RefusedForm},
			"old form":           {labelled(cluster, append([]byte{0}, sealed(ours, cluster, "x")[1:]...)), RefusedForm},
			"not sealed":         {labelled(cluster, []byte{sealVersion, 5: 1, 40: 9}), RefusedKey},
			"wrong key":          {labelled(cluster, sealed(theirs, cluster, "hello")), RefusedKey},
			"changed":            {labelled(cluster, append(sealed(ours, cluster, "hello")[:20], "changed changed"...)), RefusedKey},
			"other cluster":      {labelled("blue", sealed(ours, "blue", "hello")), RefusedCluster},
			"renamed":            {labelled(cluster, sealed(ours, "blue", "hello")), RefusedKey},
		} {
			synctest.Test(t, func(t *testing.T) {
				sim := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}, cluster: cluster}
				sim.start(t, 2)
				before := sim.deaths()
				for range 100 {
					sim.links[0].deliver(bytes.Clone(c.packet), &net.UDPAddr{IP: net.IPv4(10, 9, 9, 9), Port: 99})
				}
				<-time.After(time.Second)
				sim.speak(t, 0)
				if n := sim.nodes[0].Refused(c.why); n != 100 || sim.deaths() != before {
					t.Errorf("%s, cluster %q: %s, %d changes", name, cluster, counts(sim.nodes[0]), sim.deaths()-before)
				}
				sim.close(t)
			})
		}
	}
}

// What a stranger may begin a stream with: what it is answered, and counted as.
func TestHostileStreams(t *testing.T) {
	ours, theirs := keyOf("o"), keyOf("x")
	huge := binary.BigEndian.AppendUint32([]byte{encrypted}, 1<<31)
	for name, c := range map[string]struct {
		begin    []byte
		why      Refusal // "" = none
		answered bool
	}{
		"nothing":       {nil, "", false},
		"HTTP":          {[]byte("GET / HTTP/1.1\r\nHost: core:7402\r\n\r\n"), RefusedForm, false},
		"huge":          {huge, RefusedForm, false},
		"cut":           {sealedStream(ours, "", "hello")[:20], RefusedForm, false},
		"old form":      {append(binary.BigEndian.AppendUint32([]byte{encrypted}, leastSealed), make([]byte, leastSealed)...), RefusedForm, false},
		"wrong key":     {sealedStream(theirs, "", "hello"), RefusedKey, true},
		"other cluster": {sealedStream(ours, "blue", "hello"), RefusedCluster, true},
		"label cut":     {[]byte{labelMagic, 9, 'b'}, RefusedForm, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}}
			sim.start(t, 2)
			here, there := net.Pipe()
			sim.links[0].streams <- there
			go func() {
				_, _ = here.Write(c.begin)
				if name == "nothing" {
					_ = here.Close()
				}
			}()
			began := time.Now()
			answer, _ := io.ReadAll(here)
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("%s: held for %v", name, took)
			}
			synctest.Wait()
			var total uint64
			for _, why := range Refusals() {
				total += sim.nodes[0].Refused(why)
			}
			if want := min(len(c.why), 1); int(total) != want || total == 1 && sim.nodes[0].Refused(c.why) != 1 {
				t.Errorf("%s: refused %s", name, counts(sim.nodes[0]))
			}
			if (len(answer) > 0) != c.answered {
				t.Errorf("%s: answered %q", name, answer)
			}
			_ = here.Close()
			sim.speak(t, 0)
			sim.close(t)
		})
	}
}

// A stranger that opens streams and says nothing can't have more than so many, nor
// keep them; then nodes get in again.
func TestManySilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}}
		sim.start(t, 2)
		var held []net.Conn
		for range 2 * maxArriving {
			here, there := net.Pipe()
			sim.links[0].streams <- there
			held = append(held, here)
		}
		synctest.Wait()
		gate := sim.nodes[0].transport.gate
		gate.mu.Lock()
		n := len(gate.arriving)
		gate.mu.Unlock()
		if n != maxArriving {
			t.Errorf("%d streams are waited for", n)
		}
		<-time.After(6 * time.Second)
		sim.join(t, "late", fileOf("o"))
		await(t, sim.nodes[0], "a node joins", 30*time.Second, func(s topology.Snapshot) bool { return s.Len() == 3 })
		for _, conn := range held {
			_ = conn.Close()
		}
		sim.close(t)
	})
}

// Strangers who all send as long a message as they may are not all kept in memory;
// when they have gone, none of it counts any more.
func TestManyLongStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}}
		sim.start(t, 2)
		long := append(binary.BigEndian.AppendUint32([]byte{encrypted}, maxState), make([]byte, maxState-1)...)
		var held []net.Conn
		const many = 3 * maxUnknown / maxState
		for range many {
			here, there := net.Pipe()
			sim.links[0].streams <- there
			held = append(held, here)
			go func() { _, _ = here.Write(long) }()
		}
		synctest.Wait()
		gate := sim.nodes[0].transport.gate
		if n := gate.unknown.Load(); n > maxUnknown || n < maxUnknown/2 {
			t.Errorf("%d bytes are held, want up to %d", n, maxUnknown)
		}
		if n := sim.nodes[0].Refused(RefusedForm); n < many/2 {
			t.Errorf("%d of %d streams were refused", n, many)
		}
		<-time.After(6 * time.Second)
		if n := gate.unknown.Load(); n != 0 {
			t.Errorf("%d bytes count of streams that have ended", n)
		}
		for _, conn := range held {
			_ = conn.Close()
		}
		sim.speak(t, 0)
		sim.close(t)
	})
}

// A node that claims another's name changes nothing for anybody: not when it comes,
// for as long as it stays, nor when it says goodbye. It is told of once a minute.
func TestTheFirstOfANameStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said lockedBuffer
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}, logger: textLog(&said)}
		c.start(t, 4)
		before := c.deaths()
		first := c.nodes[0].members.addrOf("n2")
		impostor := c.join(t, "n2", fileOf("o"))
		<-time.After(3 * time.Minute)
		if n := c.nodes[0].Refused(RefusedName); n < 20 {
			t.Errorf("refused: %s", counts(c.nodes[0]))
		}
		if n := strings.Count(said.String(), "two nodes have the same name"); n < 3 || n > 4 {
			t.Errorf("%d lines in three minutes:\n%s", n, said.String())
		}
		if err := impostor.LastError(); !errors.Is(err, ErrNameTaken) {
			t.Errorf("the second one: %v", err)
		}
		if err := impostor.Leave(time.Second); err != nil {
			t.Error(err)
		}
		<-time.After(10 * time.Second)
		if n := c.deaths(); n != before || c.nodes[0].members.addrOf("n2") != first {
			t.Errorf("nodes went or came %d times; n2 was at %s and is at %s", n-before, first, c.nodes[0].members.addrOf("n2"))
		}
		c.close(t)
	})
}

// The largest description, the longest names, and many of them: they spread by
// packets, too.
func TestLongestDescriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}, cluster: strings.Repeat("c", maxCluster)}
		c.start(t, 3)
		var others []*Gossip
		for _, letter := range []string{"x", "y", "z"} {
			id := topology.NodeID(strings.Repeat(letter, 128))
			others = append(others, c.join(t, id, fileOf("o"), func(cfg *Config) { cfg.Self = longest(t, id, letter) }))
		}
		for _, g := range append(others, c.nodes...) {
			await(t, g, "all see all", 30*time.Second, func(s topology.Snapshot) bool { return s.Len() == 6 })
		}
		// Between two exchanges of everything, five seconds apart, only packets tell.
		began := time.Now()
		for _, g := range others {
			if err := g.Update(func(n *topology.Node) { n.Zone = strings.Repeat("w", len(n.Zone)) }); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range append(others, c.nodes...) {
			await(t, g, "the changes are known", 20*time.Second, func(s topology.Snapshot) bool {
				changed := 0
				for _, n := range s.Nodes() {
					if strings.HasPrefix(n.Zone, "w") {
						changed++
					}
				}
				return changed == 3
			})
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("known to all after %v", took)
		}
		c.close(t)
	})
}

// longest is a node of which the description has no byte to spare, and each text
// its share.
func longest(t *testing.T, id topology.NodeID, letter string) topology.Node {
	t.Helper()
	n := topology.Node{ID: id, Role: topology.RoleEdge, State: topology.StateStarting, Lat: -89.999999, Lon: -179.999999, Load: 0.999, Regional: true}
	fields := []*string{&n.Region, &n.Zone, &n.Link, &n.Public, &n.API, &n.Version, &n.Log}
	for i := 0; ; i = (i + 1) % len(fields) {
		*fields[i] += letter
		if _, err := n.AppendMeta(nil); err != nil {
			*fields[i] = (*fields[i])[1:]
			n.State = topology.StateDraining // as long
			b, err := n.AppendMeta(nil)
			if err != nil || len(b) < topology.MaxMeta-2 {
				t.Fatalf("%d bytes, %v", len(b), err)
			}
			return n
		}
	}
}

func FuzzPacket(f *testing.F) {
	ours, err := newKeys([][]byte{keyOf("o"), keyOf("p")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(labelled("green", sealed(keyOf("p"), "green", "hello")))
	f.Add(sealed(keyOf("o"), "", "hello"))
	f.Add([]byte{labelMagic, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, cluster := range []string{"", "green"} {
			before := bytes.Clone(b)
			plain, err := ours.checkPacket(b, cluster, nil)
			if !bytes.Equal(b, before) {
				t.Fatal("the packet was changed")
			}
			if err == nil && (len(plain)+leastSealed > len(b) || !bytes.HasPrefix(b, labelled(cluster, nil))) {
				t.Fatalf("%x was taken for %q of %q", b, plain, cluster)
			}
			// A reader of streams must come to an end, too, and claim no more than came.
			head, err := ours.readHead(bytes.NewReader(b), cluster)
			if len(head) > len(b) || err == nil && !bytes.HasPrefix(b, head) {
				t.Fatalf("%d bytes of %d: %v", len(head), len(b), err)
			}
		}
	})
}

var _ memberlist.Transport = (*simNode)(nil)
