package console

import (
	"testing"
	"time"

	"selvedge/wire/link"
)

func TestRates(t *testing.T) {
	began := time.Unix(1000, 0)
	edge := func(uptime int64, frames, delivered, bytes uint64) []link.PeerInfo {
		return []link.PeerInfo{{Node: "e", Status: link.Status{UptimeMillis: uptime, Frames: frames, Delivered: delivered, Bytes: bytes, Fed: 3 * bytes}}}
	}
	var r rates
	for _, step := range []struct {
		what                                string
		after                               time.Duration
		published                           uint64
		links                               []link.PeerInfo
		publishes, frames, delivered, bytes float64
	}{
		{"what was before the first look is no rate", 0, 900, edge(5000, 50, 60, 70), 0, 0, 0, 0},
		{"growth is per second", 2 * time.Second, 1000, edge(7000, 150, 260, 1070), 50, 50, 100, 500},
		{"what a node has told holds until it tells again", time.Second, 1000, edge(7000, 150, 260, 1070), 0, 50, 100, 500},
		{"and then its own clock counts", time.Second, 1010, edge(9000, 170, 260, 1070), 10, 10, 0, 0},
		{"a node that began anew has no rate", time.Second, 1010, edge(400, 3, 4, 5), 0, 0, 0, 0},
		{"but one soon", time.Second, 1010, edge(1400, 13, 4, 5), 0, 10, 0, 0},
		{"a counter that began anew has none", time.Second, 7, edge(2400, 1, 4, 5), 0, 0, 0, 0},
		{"who is gone is forgotten", time.Second, 7, nil, 0, 0, 0, 0},
		{"and comes back unknown", time.Second, 7, edge(9400, 1000, 4, 5), 0, 0, 0, 0},
		{"a node that has told nothing has no rate", time.Second, 7, edge(0, 0, 0, 0), 0, 0, 0, 0},
		{"nor has its first word", time.Second, 7, edge(10, 500, 0, 0), 0, 0, 0, 0},
	} {
		before := r
		was := len(before.nodes)
		began = began.Add(step.after)
		r.take(began, totals{published: step.published, region: 2 * step.published, ocean: 3 * step.published}, step.links)
		n := r.Node("e")
		if r.Published != step.publishes || n.Frames != step.frames || n.Delivered != step.delivered || n.Bytes != step.bytes || n.Fed != 3*step.bytes {
			t.Errorf("%s: %v published, %v frames, %v delivered, %v bytes, %v fed", step.what, r.Published, n.Frames, n.Delivered, n.Bytes, n.Fed)
		}
		if r.RegionBytes != 2*step.publishes || r.OceanBytes != 3*step.publishes {
			t.Errorf("%s: %v and %v bytes sent", step.what, r.RegionBytes, r.OceanBytes)
		}
		if len(before.nodes) != was {
			t.Errorf("%s: an earlier copy has changed", step.what)
		}
	}
}
