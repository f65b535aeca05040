package topology

import "math"

// earthRadiusKm is the mean radius of the WGS 84 ellipsoid, (2a+b)/3 (Moritz,
// Geodetic Reference System 1980, rounded to 0.1 m).
const earthRadiusKm = 6371.0088

// DistanceKm is the great-circle distance between two points, given in degrees
// north and east, by the haversine formula (Sinnott, "Virtues of the Haversine",
// Sky and Telescope 68, 1984). Against the ellipsoid it is off by up to 0.5 %.
func DistanceKm(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	sinLat := math.Sin((lat2 - lat1) * rad / 2)
	sinLon := math.Sin((lon2 - lon1) * rad / 2)
	h := sinLat*sinLat + math.Cos(lat1*rad)*math.Cos(lat2*rad)*sinLon*sinLon
	// Rounding may lift h past 1 for antipodes, where Asin has no value.
	return 2 * earthRadiusKm * math.Asin(math.Sqrt(min(h, 1)))
}
