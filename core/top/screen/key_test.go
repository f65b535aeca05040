package screen

import (
	"slices"
	"strings"
	"testing"
)

// keys reads all keys of b, and what is left of it.
func keys(b string) (got []Key, rest string) {
	for {
		k, size := next([]byte(b))
		if size == 0 {
			return got, b
		}
		got, b = append(got, k), b[size:]
	}
}

func TestKeys(t *testing.T) {
	for _, test := range []struct {
		typed string
		want  []Key
		rest  string
	}{
		{"", nil, ""},
		{"qL?", []Key{"q", "L", "?"}, ""},
		{"ü", []Key{"ü"}, ""},
		{"\xc3", nil, "\xc3"},
		{"\xff\x80", []Key{Other, Other}, ""},
		{"\x03\x01\x7f", []Key{CtrlC, Other, Other}, ""},
		{"\x1b", []Key{Escape}, ""},
		{"\x1bx", []Key{Other}, ""},
		{"\x1b[A\x1b[B\x1b[C\x1b[D", []Key{Up, Down, Right, Left}, ""},
		{"\x1bOA\x1bOH", []Key{Up, Home}, ""},
		{"\x1b[5~\x1b[6~\x1b[1~\x1b[F", []Key{PageUp, PageDown, Home, End}, ""},
		{"\x1b[1;5Aq", []Key{Other, "q"}, ""},
		{"\x1b[5", nil, "\x1b[5"},
		{"q\x1b[", []Key{"q"}, "\x1b["},
		{"\x1b[" + strings.Repeat("0", 17) + "q", slices.Concat([]Key{Other}, slices.Repeat([]Key{"0"}, 17), []Key{"q"}), ""},
	} {
		got, rest := keys(test.typed)
		if !slices.Equal(got, test.want) || rest != test.rest {
			t.Errorf("%q: %q and %q are left, want %q and %q", test.typed, got, rest, test.want, test.rest)
		}
	}
}

// Whatever a terminal sends, keys come out of it, and never are more than a few
// bytes held back.
func FuzzKeys(f *testing.F) {
	f.Add("q\x1b[A\x1b[5~ü\x1b")
	f.Add("\x1b[1;2;3;4;5;6;7;8;9;10")
	f.Fuzz(func(t *testing.T, typed string) {
		got, rest := keys(typed)
		if len(rest) > longest+1 {
			t.Errorf("%q is held back", rest)
		}
		if typed != "" && len(got) == 0 && rest == "" {
			t.Errorf("%q is nothing", typed)
		}
	})
}
