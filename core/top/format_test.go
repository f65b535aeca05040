package top

import (
	"math"
	"testing"

	"selvedge/wire"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct {
		name string
		is   func(float64) string
		want map[float64]string
	}{
		{"count", count, map[float64]string{0: "0", 1: "1", 99_999: "99999", 99_999.6: "100k", 123_456: "123k", 999_400: "999k", 999_600: "1.0M", 12_345_678: "12.3M", 5e13: "50.0T", 5e16: "50000T"}},
		{"rate", rate, map[float64]string{0: "0", 0.04: "0.0", 7: "7.0", 9.94: "9.9", 9.96: "10", 1234.4: "1234"}},
		{"size", size, map[float64]string{0: "0B", 999: "999B", 999.6: "1.0kB", 1234: "1.2kB", 123_456: "123kB", 1.25e6: "1.2MB", 3e9: "3.0GB"}},
		{"fixed", fixed, map[float64]string{0: "0.00", 0.256: "0.26", 1: "1.00"}},
		{"millis", millis, map[float64]string{0: "0.0ms", 0.36: "0.4ms", -1.5: "-1.5ms", 9.96: "10ms", 225.4: "225ms", 9999: "9999ms", 61_000: "1m01s"}},
		{"age", age, map[float64]string{0: "0s", 59.9: "59s", 61: "1m01s", 3599: "59m59s", 3720: "1h02m", 90_000: "1d01h", 8.64e6: "100d00h"}},
	} {
		if got := test.is(math.NaN()); got != none {
			t.Errorf("%s of what is not known is %q", test.name, got)
		}
		for f, want := range test.want {
			if got := test.is(f); got != want {
				t.Errorf("%s(%v) = %q, want %q", test.name, f, got, want)
			}
		}
	}
}

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		ids  []wire.LogID
		want string
	}{
		{nil, ""},
		{[]wire.LogID{3}, "3"},
		{[]wire.LogID{9, 0, 1, 2, 5, 8}, "0-2 5 8-9"},
		{[]wire.LogID{0, 1}, "0-1"},
	} {
		if got := ranges(test.ids); got != test.want {
			t.Errorf("%v are %q, want %q", test.ids, got, test.want)
		}
	}
}

func TestCutAndPad(t *testing.T) {
	for _, test := range []struct {
		text       string
		room       int
		cut, right string
	}{
		{"edge", 4, "edge", "edge"},
		{"edge", 6, "edge", "  edge"},
		{"edge", 3, "ed…", "ed…"},
		{"edge", 1, "…", "…"},
		{"edge", 0, "", ""},
		{"edge", -1, "", ""},
		{"エッジ", 6, "エッジ", "エッジ"},
		{"エッジ", 5, "エッ…", "エッ…"},
		{"エッジ", 4, "エ…", " エ…"}, // a wide sign is not halved
		{"e\u0301dge", 3, "e\u0301d…", "e\u0301d…"},
	} {
		if got := cut(test.text, test.room); got != test.cut {
			t.Errorf("%q in %d columns is %q, want %q", test.text, test.room, got, test.cut)
		}
		if got := pad(test.text, test.room, true); got != test.right {
			t.Errorf("%q at the right of %d columns is %q, want %q", test.text, test.room, got, test.right)
		}
	}
	if got := clean("a\x1b[2Jb\r\n\u202ec ü"); got != "a?[2Jb???c ü" {
		t.Errorf("%q is not clean", got)
	}
}
