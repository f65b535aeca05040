package edge

import (
	"encoding/json"
	"math"
	"net"
	"net/http"
	"testing"

	"selvedge/topology"
)

// nearest asks an edge of eu-west, that knows another one in us-east, where to go.
func nearest(t *testing.T, n *edgeNode, query string, header ...string) []topology.RankedEdge {
	t.Helper()
	w := get(n, http.MethodGet, "/v1/edges"+query, header...)
	var body struct{ Edges []topology.RankedEdge }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK || len(body.Edges) != 1 {
		t.Fatalf("%s %v: %d %s, %v", query, header, w.Code, w.Body, err)
	}
	return body.Edges
}

// Whoever can set a header could claim to be anywhere, so headers count only if the
// operator says so; what the client says itself counts before them.
func TestWhereAClientIs(t *testing.T) {
	n := newNode(t)
	here := nearest(t, n, "")[0].Km
	if here != 0 {
		t.Fatalf("without coordinates, the region asked is %v km away", here)
	}
	for _, test := range []struct {
		what   string
		query  string
		header []string
		km     float64 // with headers trusted; to Amsterdam
	}{
		{"CloudFront", "", []string{"CloudFront-Viewer-Latitude", "1.3521", "CloudFront-Viewer-Longitude", "103.8198"}, 10500},
		{"Cloudflare", "", []string{"CF-IPLatitude", "40.7", "CF-IPLongitude", "-74.0"}, 5860},
		{"one's own", "", []string{"X-Geo-Lat", "-33.9", "X-Geo-Lon", "18.4"}, 9650},
		{"the first counts", "", []string{"X-Geo-Lat", "-33.9", "X-Geo-Lon", "18.4", "CF-IPLatitude", "40.7", "CF-IPLongitude", "-74.0"}, 5860},
		{"half of one", "", []string{"CloudFront-Viewer-Latitude", "1.3521", "X-Geo-Lat", "-33.9", "X-Geo-Lon", "18.4"}, 9650},
		{"two halves", "", []string{"CloudFront-Viewer-Latitude", "1.3521", "X-Geo-Lon", "18.4"}, 0},
		{"no place on earth", "", []string{"X-Geo-Lat", "91", "X-Geo-Lon", "0"}, 0},
		{"no number", "", []string{"X-Geo-Lat", "NaN", "X-Geo-Lon", "0"}, 0},
		{"words", "", []string{"X-Geo-Lat", "unknown", "X-Geo-Lon", "unknown"}, 0},
		{"the client says it itself", "?lat=52.3676&lon=4.9041", []string{"X-Geo-Lat", "-33.9", "X-Geo-Lon", "18.4"}, 0},
	} {
		n.cfg.TrustGeoHeaders = true
		if got := nearest(t, n, test.query, test.header...)[0].Km; math.Abs(got-test.km) > 100 {
			t.Errorf("%s: %v km, want about %v", test.what, got, test.km)
		}
		n.cfg.TrustGeoHeaders = false
		if got := nearest(t, n, test.query, test.header...)[0].Km; got != 0 {
			t.Errorf("%s, not trusted: %v km, want 0", test.what, got)
		}
	}
}

// Where edges can't be reached one by one, clients get their region's URL.
func TestTheRegionsURL(t *testing.T) {
	n := newNode(t)
	n.cfg.RegionalURL = "https://eu.example.com"
	n.cfg.Reachable = func(a net.Addr) (string, error) { return a.String(), nil }
	self, err := n.describe(addr("127.0.0.1:7410"), addr("127.0.0.1:7411"))
	if err != nil || self.Public != "https://eu.example.com" || !self.Regional {
		t.Errorf("the node is %+v, %v; want its region's URL", self, err)
	}
	if err := n.gossip.Update(func(s *topology.Node) { s.Public, s.Regional = self.Public, self.Regional }); err != nil {
		t.Fatal(err)
	}
	await(patience, func() bool {
		known, _ := n.gossip.Snapshot().Node("edge-1")
		return known.Regional
	})
	if got := nearest(t, n, "?team=red")[0]; got.URL != "https://eu.example.com" {
		t.Errorf("clients get %+v", got)
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
