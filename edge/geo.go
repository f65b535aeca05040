package edge

import (
	"net/http"
	"strconv"
)

// geoHeaders are the headers by which CDNs and load balancers tell where a client
// is, latitude and longitude in degrees: CloudFront's, Cloudflare's (a managed
// transform), and one for what the operator sets himself. The first that is whole
// counts.
var geoHeaders = [...][2]string{
	{"CloudFront-Viewer-Latitude", "CloudFront-Viewer-Longitude"},
	{"CF-IPLatitude", "CF-IPLongitude"},
	{"X-Geo-Lat", "X-Geo-Lon"},
}

// headerPlace is where a proxy says that the client is. What is no place is
// ignored: the client can't do anything about it.
func headerPlace(h http.Header) (lat, lon float64, ok bool) {
	for _, pair := range geoHeaders {
		if lat, lon, ok = parsePlace(h.Get(pair[0]), h.Get(pair[1])); ok {
			return lat, lon, true
		}
	}
	return 0, 0, false
}

func parsePlace(lat, lon string) (x, y float64, ok bool) {
	x, err1 := strconv.ParseFloat(lat, 64)
	y, err2 := strconv.ParseFloat(lon, 64)
	return x, y, err1 == nil && err2 == nil && within(x, 90) && within(y, 180)
}
