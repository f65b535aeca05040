package planet

import (
	"errors"
	"math"
)

// point is what n of something cost.
type point struct {
	n int
	y float64
}

// fit is the law through points that makes the sum of squares of what each is off, as a
// part of itself, the smallest, and costs nothing that is negative. Points of cost zero
// are taken for exact: a law through nothing else is zero. It fails if there are none.
func fit(points []point) (Law, error) {
	if len(points) == 0 {
		return Law{}, errors.New("no points to fit a law to")
	}
	var w, wn, wnn, wy, wny float64 // sums with the weights 1/y²
	most, several := 0.0, false
	for _, p := range points {
		if p.n <= 0 || !finite(p.y) {
			return Law{}, errors.New("a point is no cost of a positive number")
		}
		most, several = max(most, p.y), several || p.n != points[0].n
	}
	if most == 0 {
		return Law{}, nil
	}
	for _, p := range points {
		n, y := float64(p.n), max(p.y, most/1e6)
		k := 1 / (y * y)
		w, wn, wnn, wy, wny = w+k, wn+k*n, wnn+k*n*n, wy+k*p.y, wny+k*n*p.y
	}
	l := Law{Per: wny / wnn} // through the origin
	if several {
		det := w*wnn - wn*wn
		l.Fixed, l.Per = (wy*wnn-wny*wn)/det, (w*wny-wn*wy)/det
		switch {
		case l.Per < 0:
			l.Fixed, l.Per = wy/w, 0
		case l.Fixed < 0:
			l.Fixed, l.Per = 0, wny/wnn
		}
	}
	for _, p := range points {
		if p.y > 0 {
			l.Off = max(l.Off, math.Abs(l.at(p.n)/p.y-1))
		}
	}
	return l, nil
}
