package topology

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vmihailenco/msgpack/v5"
)

func sampleNode() Node {
	return Node{
		ID: "edge-1", Role: RoleEdge, Region: "eu-west", Zone: "eu-west-a", Lat: 52.3676, Lon: 4.9041,
		State: StateReady, Link: "10.0.0.7:7411", Public: "https://edge-1.example.com", API: "10.0.0.7:7400",
		Load: 0.25, Version: "v1.2.3", Regional: true, Log: "10.0.0.7:7404",
	}
}

func mustMeta(t testing.TB, n Node) []byte {
	t.Helper()
	b, err := n.AppendMeta(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMetaRoundTrip(t *testing.T) {
	for _, want := range []Node{
		sampleNode(),
		{Role: RoleCore, State: StateStarting},
		{Role: RoleCore, State: StateDraining, Lat: -90, Lon: 180, Load: 1},
	} {
		prefix := []byte("kept")
		b, err := want.AppendMeta(prefix)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMeta(b[len(prefix):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Node{}, "ID")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestMetaTruncated(t *testing.T) {
	whole := mustMeta(t, sampleNode())
	for i := range whole {
		if n, err := ParseMeta(whole[:i]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for %+v", i, len(whole), n)
		}
	}
	if _, err := ParseMeta(append(whole, 0)); !errors.Is(err, ErrBadMeta) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestMetaOfLaterBuild(t *testing.T) {
	b := mustMeta(t, sampleNode())
	if b[1] != 0x90|metaFields {
		t.Fatalf("array header %#x", b[1])
	}
	b[1] += 2
	b = append(b, 0xa2, 'h', 'i', 0x91, 0xc0) // a text and an array that this build doesn't know
	got, err := ParseMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Region != "eu-west" || !got.Regional {
		t.Errorf("got %+v", got)
	}
	b[0] = metaVersion + 1
	if _, err := ParseMeta(b); !errors.Is(err, ErrMetaVersion) {
		t.Errorf("another version: %v", err)
	}
}

func TestMetaOfEarlierBuild(t *testing.T) {
	want := sampleNode()
	want.Log = ""
	b := mustMeta(t, want)
	b[1]--
	b = b[:len(b)-1] // without the log
	got, err := ParseMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Node{}, "ID")); diff != "" {
		t.Error(diff)
	}
}

func TestMetaLimit(t *testing.T) {
	n := sampleNode()
	for size := range 600 {
		n.Public = strings.Repeat("x", size)
		b, err := n.AppendMeta([]byte("kept"))
		switch {
		case err == nil && len(b)-4 > MaxMeta:
			t.Fatalf("%d bytes for a URL of %d", len(b)-4, size)
		case err != nil && !errors.Is(err, ErrMetaTooLarge):
			t.Fatal(err)
		case err != nil && string(b) != "kept":
			t.Fatalf("dst came back as %q", b)
		case err == nil && size > MaxMeta:
			t.Fatalf("a URL of %d bytes fitted", size)
		}
	}
	n.Public = strings.Repeat("x", 450)
	_, err := n.AppendMeta(nil)
	want := "node description too large: 561 bytes, at most 512 fit (region 7, zone 9, link 13, public 450, api 13, version 6, log 13): shorten the longest"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestMetaRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Node){
		"role":         func(n *Node) { n.Role = "boss" },
		"no role":      func(n *Node) { n.Role = "" },
		"state":        func(n *Node) { n.State = "tired" },
		"latitude":     func(n *Node) { n.Lat = 90.1 },
		"longitude":    func(n *Node) { n.Lon = -180.1 },
		"NaN":          func(n *Node) { n.Lat = math.NaN() },
		"infinite":     func(n *Node) { n.Lon = math.Inf(1) },
		"load":         func(n *Node) { n.Load = 1.1 },
		"load NaN":     func(n *Node) { n.Load = math.NaN() },
		"load below 0": func(n *Node) { n.Load = -0.1 },
		"not UTF-8":    func(n *Node) { n.Zone = "\xff" },
	} {
		n := sampleNode()
		spoil(&n)
		if _, err := n.AppendMeta(nil); !errors.Is(err, ErrBadNode) {
			t.Errorf("%s: AppendMeta: %v", name, err)
		}
		// The same from a stranger, who doesn't check.
		b := append([]byte{metaVersion}, encoded(t, n)...)
		if _, err := ParseMeta(b); !errors.Is(err, ErrBadMeta) || !errors.Is(err, ErrBadNode) {
			t.Errorf("%s: ParseMeta: %v", name, err)
		}
	}
}

func encoded(t testing.TB, n Node) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := n.encodeMeta(msgpack.NewEncoder(&buf)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestMetaHostile(t *testing.T) {
	for name, b := range map[string][]byte{
		"array of 4 G":     {metaVersion, 0xdd, 0xff, 0xff, 0xff, 0xff},
		"nil array":        {metaVersion, 0xc0},
		"text of 4 G":      {metaVersion, 0x9c, 0xdb, 0xff, 0xff, 0xff, 0xff},
		"map for a text":   {metaVersion, 0x9c, 0xdf, 0xff, 0xff, 0xff, 0xff},
		"nil text":         {metaVersion, 0x9c, 0xc0},
		"deep array":       append([]byte{metaVersion}, bytes.Repeat([]byte{0x9d}, MaxMeta-1)...),
		"longer than fits": make([]byte, MaxMeta+1),
	} {
		if n, err := ParseMeta(b); !errors.Is(err, ErrBadMeta) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			_, _ = ParseMeta(b)
		}
		runtime.ReadMemStats(&after)
		allocs := (after.TotalAlloc - before.TotalAlloc) / 100
		if allocs > 64<<10 {
			t.Errorf("%s: %d bytes allocated", name, allocs)
		}
	}
}

func TestCheckNodeID(t *testing.T) {
	for _, id := range []NodeID{"edge-1", "a", "münchen", NodeID(strings.Repeat("x", 128))} {
		if err := CheckNodeID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []NodeID{"", "a b", "a/b", "a\n", "\xff", NodeID(strings.Repeat("x", 129))} {
		if err := CheckNodeID(id); !errors.Is(err, ErrBadNode) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add(mustMeta(f, sampleNode()))
	f.Add([]byte{metaVersion, 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseMeta(b)
		if err != nil {
			return
		}
		again, err := n.AppendMeta(nil)
		if err != nil {
			// Other widths of the same values may have fitted where ours don't.
			if !errors.Is(err, ErrMetaTooLarge) {
				t.Fatalf("%+v was parsed but can't be encoded: %v", n, err)
			}
			return
		}
		back, err := ParseMeta(again)
		if err != nil || back != n {
			t.Fatalf("%+v became %+v, %v", n, back, err)
		}
	})
}
