package core

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"selvedge/core/api"
	"selvedge/core/client"
	"selvedge/topology"
	"selvedge/topology/region"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

func TestLinkOf(t *testing.T) {
	told := link.PeerInfo{
		Node: "e", Region: "eu-west", RTT: 70 * time.Millisecond, Logs: 3, State: true, Open: []wire.LogID{0, 7, wire.StateLog},
		Status: link.Status{Sockets: 5, SocketsLimit: 9, Users: 4, DelayMillis: 41.5, RTTMillis: 68, UptimeMillis: 61_500},
	}
	for name, test := range map[string]struct {
		peer link.PeerInfo
		home string
		want client.Link
	}{
		"across an ocean": {told, "us-east", client.Link{
			Node: "e", Region: "eu-west", Scope: "ocean", RTT: 68, Logs: []wire.LogID{0, 7}, State: true, Uptime: 61.5, Sockets: 5, SocketsLimit: 9, Users: 4, Delay: 41.5,
		}},
		"one that has told nothing": {link.PeerInfo{Node: "e", Region: "us-east", RTT: 2 * time.Millisecond}, "us-east", client.Link{
			Node: "e", Region: "us-east", Scope: "region", RTT: 2, Logs: []wire.LogID{},
		}},
		"one without the state log": {link.PeerInfo{Node: "e", Open: []wire.LogID{3}}, "us-east", client.Link{Node: "e", Scope: "ocean", Logs: []wire.LogID{3}}},
	} {
		if diff := cmp.Diff(test.want, linkOf(test.peer, test.home)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What a core answers is what the API's document says, and what its client reads.
func TestClusterIsAsDocumented(t *testing.T) {
	says := client.Cluster{
		Core: "core-1", Uptime: 3.5, Epoch: "e", Logs: 16, Published: 1.5, RegionBytes: 10, OceanBytes: 20,
		Nodes: []topology.Node{
			{ID: "core-1", Role: topology.RoleCore, Region: "us-east", State: topology.StateReady, API: "127.0.0.1:7400", Log: "x"},
			{ID: "e", Role: topology.RoleEdge, Region: "eu-west", Lat: 53, Lon: -6, State: topology.StateDraining, Public: "http://e", Load: 0.5, Version: "v1"},
		},
		Regions: map[string]client.Region{"eu-west": {Nodes: []topology.NodeID{"e"}, Relays: map[topology.NodeID]int{"e": 2}}},
		Links: []client.Link{{
			Node: "e", Region: "eu-west", Scope: "ocean", RTT: 68, Logs: []wire.LogID{0, 7}, State: true, Uptime: 61.5,
			Sockets: 5, SocketsLimit: 9, Users: 4, Delay: 41.5, Frames: 6, Delivered: 7, Bytes: 8, Fed: 9,
		}},
	}
	b, err := wire.JSON.Append(nil, says)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	api.New(api.Config{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/openapi.json", nil))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var object any
	if err := json.Unmarshal(b, &object); err != nil {
		t.Fatal(err)
	}
	ok := doc.Paths.Find("/v1/cluster").Get.Responses.Status(http.StatusOK).Value
	if err := ok.Content.Get("application/json").Schema.Value.VisitJSON(object); err != nil {
		t.Errorf("the document does not know it: %v", err)
	}

	if b, err = wire.Msgpack.Append(nil, says); err != nil {
		t.Fatal(err)
	}
	var read client.Cluster
	if err := wire.Msgpack.Decode(b, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(says, read); diff != "" {
		t.Errorf("the client reads (-want +got):\n%s", diff)
	}
}

func TestBytesByScope(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry(), &coreNode{cfg: Config{Region: region.Region{Name: "us-east"}}})
	m.sent("us-east", tail.Frame, 10)
	m.sent("eu-west", tail.Frame, 200)
	m.sent("eu-west", tail.Watermark, 3)
	if near, far := m.bytes(); near != 10 || far != 203 {
		t.Errorf("%d and %d bytes, want 10 and 203", near, far)
	}
}
