package report

import (
	"image/color"
	"math"
)

// ramp are colours from little to much, of even steps in lightness, and told apart
// by those who don't tell red from green.
var ramp = []color.NRGBA{{0xfb, 0xe6, 0x9a, 0xff}, {0xf6, 0xb2, 0x6b, 0xff}, {0xe2, 0x73, 0x6a, 0xff}, {0xa8, 0x43, 0x7f, 0xff}, {0x4b, 0x2a, 0x7b, 0xff}}

// shade is the colour of a part of the whole, 0 to 1. A part of nothing (NaN) is none.
func shade(part float64) color.NRGBA {
	if math.IsNaN(part) {
		part = 0
	}
	at := min(max(part, 0), 1) * float64(len(ramp)-1)
	i := min(int(at), len(ramp)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(i))*(float64(b)-float64(a)))) }
	a, b := ramp[i], ramp[i+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// on is a colour for text on another one.
func on(c color.NRGBA) color.Color {
	if 0.299*float64(c.R)+0.587*float64(c.G)+0.114*float64(c.B) > 140 {
		return color.NRGBA{0x16, 0x1b, 0x22, 0xff} // not black, which follows the page
	}
	return color.NRGBA{0xff, 0xff, 0xff, 0xff}
}
