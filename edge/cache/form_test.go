package cache

import (
	"testing"

	"selvedge/wire"
)

func TestForms(t *testing.T) {
	seen := map[Form]bool{}
	for c := range wire.Codecs {
		for _, deflate := range []bool{false, true} {
			f := FormOf(c, deflate)
			if f >= Forms || seen[f] || f.Codec() != c || f.Deflates() != deflate || f.Plain() != FormOf(c, false) {
				t.Errorf("%s, deflate %v: %d = %s", c, deflate, f, f)
			}
			seen[f] = true
		}
	}
	if len(seen) != int(Forms) || FormOf(wire.Msgpack, true).String() != "msgpack+deflate" || FormOf(wire.JSON, false).String() != "json" {
		t.Errorf("%v of %d", seen, Forms)
	}
}
