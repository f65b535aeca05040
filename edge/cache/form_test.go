package cache

import (
	"bytes"
	"strings"
	"testing"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// PacketOf is PacketIn in every form.
func TestPacketOf(t *testing.T) {
	payload, err := wire.Msgpack.Append(nil, map[string]string{"t": "welcome", "text": strings.Repeat("text ", 200)})
	if err != nil {
		t.Fatal(err)
	}
	for f := range Forms {
		b := append(make([]byte, websocket.MaxHeader), payload...)
		if want, got := PacketIn(f, payload), PacketOf(f, b); !bytes.Equal(got, want) {
			t.Errorf("%s: %q, want %q", f, got, want)
		}
	}
}

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
