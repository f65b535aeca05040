package topology

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The transcripts of testdata/rank.txt, each answered anew.
func TestRankEdges(t *testing.T) {
	b, err := os.ReadFile("testdata/rank.txt")
	if err != nil {
		t.Fatal(err)
	}
	var nodes []Node
	var got strings.Builder
	answering := false
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			answering = false
		}
		if answering {
			continue
		}
		got.WriteString(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "reset":
			nodes = nil
		case "edge", "core":
			nodes = append(nodes, readNode(t, words))
		case "rank":
			got.WriteString("----\n")
			for _, e := range RankEdges(NewSnapshot(1, nodes), readOptions(t, words[1:])) {
				fmt.Fprintf(&got, "%s %s %s %v %v\n", e.ID, e.Region, e.URL, e.Km, e.Load)
			}
			answering = true
		default:
			t.Fatalf("unknown word %q", words[0])
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/rank.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(b), got.String()); diff != "" {
		t.Error(diff)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the answers into testdata: read the diff")

func readNode(t *testing.T, words []string) Node {
	t.Helper()
	n := Node{
		Role: Role(words[0]), ID: NodeID(words[1]), Region: words[2],
		Lat: number(t, words[3]), Lon: number(t, words[4]), State: StateReady, Public: "https://" + words[1],
	}
	for _, w := range words[5:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "load":
			n.Load = number(t, value)
		case "state":
			n.State = State(value)
		case "url":
			n.Public = strings.TrimPrefix(value, "-")
		case "regional":
			n.Regional = true
		default:
			t.Fatalf("unknown word %q", w)
		}
	}
	return n
}

func readOptions(t *testing.T, words []string) RankOptions {
	t.Helper()
	var o RankOptions
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "lat":
			o.Lat, o.HasPoint = number(t, value), true
		case "lon":
			o.Lon = number(t, value)
		case "region":
			o.Region = value
		case "team":
			o.Team = value
		case "limit":
			o.Limit = int(number(t, value))
		case "spread":
			o.Spread = uint64(number(t, value))
		default:
			t.Fatalf("unknown word %q", w)
		}
	}
	return o
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Teams must be spread evenly, and keep their edges when another one comes.
func TestTeamsSpread(t *testing.T) {
	snap := snapshotOf(RoleEdge, StateReady, names(5))
	for i := range snap.nodes {
		snap.nodes[i].Public = "https://" + string(snap.nodes[i].ID)
	}
	fewer := NewSnapshot(1, snap.nodes[:4])
	count, moved := map[NodeID]int{}, 0
	for i := range 2000 {
		o := RankOptions{Team: "team-" + strconv.Itoa(i), HasPoint: true}
		with, without := RankEdges(snap, o)[0].ID, RankEdges(fewer, o)[0].ID
		count[with]++
		if with != without {
			moved++
			if with != "edge-04" {
				t.Fatalf("%s moved from %s to %s when edge-04 came", o.Team, without, with)
			}
		}
	}
	for id, n := range count {
		if n < 320 || n > 480 {
			t.Errorf("%s has %d of 2,000 teams, want about 400", id, n)
		}
	}
	if moved != count["edge-04"] {
		t.Errorf("%d teams moved, want %d", moved, count["edge-04"])
	}
}

func TestRankEdgesNone(t *testing.T) {
	if got := RankEdges(Snapshot{}, RankOptions{Team: "red", Limit: 3}); len(got) != 0 {
		t.Errorf("an empty snapshot ranks %v", got)
	}
}
