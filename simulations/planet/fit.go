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

// pair is what a of one thing and b of another cost together.
type pair struct{ a, b, y float64 }

// fitPair is what one of each costs, such that the sum of squares of what each point is
// off, as a part of itself, is the smallest, and nothing costs less than nothing. Points
// of cost zero are taken for exact. It fails if there are no points, or one is no cost.
func fitPair(points []pair) (a, b float64, err error) {
	if len(points) == 0 {
		return 0, 0, errors.New("no points to fit a law to")
	}
	most := 0.0
	for _, p := range points {
		if !finite(p.y) || !finite(p.a) || !finite(p.b) || p.a == 0 && p.b == 0 {
			return 0, 0, errors.New("a point is no cost of a positive number")
		}
		most = max(most, p.y)
	}
	if most == 0 {
		return 0, 0, nil
	}
	var aa, ab, bb, ay, by float64 // sums with the weights 1/y²
	for _, p := range points {
		y := max(p.y, most/1e6)
		k := 1 / (y * y)
		aa, ab, bb, ay, by = aa+k*p.a*p.a, ab+k*p.a*p.b, bb+k*p.b*p.b, ay+k*p.a*p.y, by+k*p.b*p.y
	}
	// Nearly the same direction: the two can't be told apart, and all is laid to the second.
	if det := aa*bb - ab*ab; det > 1e-9*aa*bb {
		a, b = (ay*bb-by*ab)/det, (aa*by-ab*ay)/det
	} else {
		a = -1
	}
	switch {
	case b < 0:
		a, b = ay/aa, 0
	case a < 0 && bb > 0:
		a, b = 0, by/bb
	case a < 0:
		a, b = ay/aa, 0
	}
	return a, b, nil
}

// fit is the law through points: see fitPair.
func fit(points []point) (Law, error) {
	pairs := make([]pair, len(points))
	for i, p := range points {
		if p.n <= 0 {
			return Law{}, errors.New("a point is no cost of a positive number")
		}
		pairs[i] = pair{1, float64(p.n), p.y}
	}
	var l Law
	var err error
	if l.Fixed, l.Per, err = fitPair(pairs); err != nil {
		return Law{}, err
	}
	for _, p := range points {
		if p.y > 0 {
			l.Off = max(l.Off, math.Abs(l.at(p.n)/p.y-1))
		}
	}
	return l, nil
}
