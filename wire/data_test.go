package wire

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJSONTwin(t *testing.T) {
	for in, want := range map[string]string{
		`null`: `null`, `true`: `true`, ` [ ] `: `[]`, `{}`: `{}`,
		`{"b":1,"a":[false,"x\n\u0001\"é",-5]}`:                           `{"a":[false,"x\n\u0001\"é",-5],"b":1}`,
		`[0,127,128,255,256,65535,65536,4294967296]`:                      `[0,127,128,255,256,65535,65536,4294967296]`,
		`[-1,-32,-33,-128,-129,-32769,-2147483649]`:                       `[-1,-32,-33,-128,-129,-32769,-2147483649]`,
		`[9223372036854775807,18446744073709551615,-9223372036854775808]`: `[9223372036854775807,18446744073709551615,-9223372036854775808]`,
		`[1.5,1e300,1e-7,0.000001]`:                                       `[1.5,1e+300,1e-07,0.000001]`,
	} {
		d, err := ParseJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if err := Check(d); err != nil {
			t.Errorf("%s: its msgpack does not pass Check: %v", in, err)
		}
		if got := d.String(); got != want {
			t.Errorf("%s came back as %s, want %s", in, got, want)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2)
	for _, in := range []string{``, `{`, `{"a":}`, `1 2`, `[1,]`, `1e400`, `nul`, `"a`, deep} {
		if d, err := ParseJSON([]byte(in)); err == nil {
			t.Errorf("%.20q was taken as %s", in, d)
		}
	}
}

// Each entry ends, or grows, a decoder that believes what it reads.
func TestCheckRefuses(t *testing.T) {
	nan := appendUint64([]byte{0xcb}, math.Float64bits(math.NaN()))
	for name, b := range map[string][]byte{
		"nothing":               {},
		"array header in a map": {0x81, 0xa1, 'x', 0xdd, 0xff, 0xff, 0xff, 0xff},
		"map header":            {0xdf, 0xff, 0xff, 0xff, 0xff},
		"array of 2^31-1":       {0xdd, 0x7f, 0xff, 0xff, 0xff},
		"string claim":          {0xdb, 0xff, 0xff, 0xff, 0xff},
		"trailing bytes":        {0xc0, 0xc0},
		"binary":                {0xc4, 0x01, 0x00},
		"extension":             {0xd4, 0x01, 0x00},
		"never used":            {0xc1},
		"number as key":         {0x81, 0x01, 0x01},
		"bad UTF-8":             {0xa1, 0xff},
		"NaN":                   nan,
		"too deep":              append([]byte(strings.Repeat("\x91", MaxDepth+envelope+1)), 0xc0),
	} {
		if err := Check(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Check says %v", name, err)
		}
		if _, err := Data(b).AppendJSON(nil); err == nil && len(b) > 0 {
			t.Errorf("%s: has a JSON form", name)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	d, err := ParseJSON([]byte(`{"a":[1,2,{"b":"c"}],"d":1.5,"e":"` + strings.Repeat("x", 1000) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = Check(d) }); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte{0x81, 0xa1, 'x', 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte(`{"a":[1,2.5,"x"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) == nil {
			text, err := Data(b).AppendJSON(nil)
			if err != nil {
				t.Fatalf("%x passes Check and has no JSON form: %v", b, err)
			}
			if !json.Valid(text) {
				t.Fatalf("%x became invalid JSON %q", b, text)
			}
			var m ClientMessage
			_ = Msgpack.Decode(b, &m) // must not panic, nor allocate without bound
		}
		if d, err := ParseJSON(b); err == nil {
			again, err := ParseJSON([]byte(d.String()))
			if err != nil || !cmp.Equal(d, again) {
				t.Fatalf("%q is not stable: %v", b, err)
			}
		}
		var m ClientMessage
		_ = JSON.Decode(b, &m)
		_, _ = ParseFrame(b)
		_, _ = ParseBody(b)
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	d, err := ParseJSON([]byte(`{"text":"` + strings.Repeat("hello, world ", 70) + `","n":12345,"list":[1,2,3],"ok":true}`))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.SetBytes(int64(len(d)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = d.AppendJSON(buf[:0])
	}
}
