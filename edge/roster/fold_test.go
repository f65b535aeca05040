package roster

import (
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"anna", "anna"},
		{"Anna SMITH", "anna smith"},
		{"José", "jose"},
		{"Jose\u0301", "jose"},
		{"ÅSE Łukasz Øyvind", "ase lukasz oyvind"},
		{"Straße", "strasse"},
		{"Ａｎｎａ", "anna"},  // full width
		{"ﬁona", "fiona"}, // a ligature
		{"İrem Işık", "irem isik"},
		{"ΣΊΣΥΦΟΣ", "σισυφοσ"},
		{"Фёдор", "федор"},
		{"  two\u00a0\tspaces  ", "two spaces"},
		{"a  b", "a b"},
		{" a", "a"},
		{"a ", "a"},
	}
	for _, tt := range tests {
		if got := fold(tt.in); got != tt.want {
			t.Errorf("fold(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if fold("한국") == fold("하국") || fold("が") == fold("か") {
		t.Error("letters are taken for others of their script")
	}
}

func TestClassOf(t *testing.T) {
	tests := []struct {
		name, id, prefix string
		want             class
	}{
		{"anna smith", "u1", "", nameBegins},
		{"anna", "u1", "anna", exact},
		{"anna smith", "u1", "u1", exact},
		{"anna smith", "u1", "ann", nameBegins},
		{"anna smith", "u1", "anna s", nameBegins},
		{"anna smith", "u1", "smi", wordBegins},
		{"mary-ann o'neil", "u1", "neil", wordBegins},
		{"mary-ann o'neil", "u1", "ann o", wordBegins},
		{"(anna)", "u1", "anna", wordBegins},
		{"joanna", "u1", "anna", unfit},
		{"anna smith", "smi", "smi", exact},
		{"anna smith", "usmi", "us", idBegins},
		{"anna smith", "u1", "x", unfit},
		{"a b c d e f g h i j k", "u1", "i", wordBegins},
		{"a b c d e f g h i j k", "u1", "k", unfit}, // beyond maxWords
		{"한국", "u1", fold("하"), nameBegins},
	}
	for _, tt := range tests {
		if got := classOf(fold(tt.name), tt.id, tt.prefix); got != tt.want {
			t.Errorf("%q (%s) for %q: class %d, want %d", tt.name, tt.id, tt.prefix, got, tt.want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Anna", "José", "İ", "ﷺ", "\xff", "a  b", "Å\u0323", "ß"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, prefix string) {
		once := fold(name)
		if twice := fold(once); utf8.ValidString(name) && twice != once {
			t.Errorf("fold(%q) = %q, and of that %q", name, once, twice)
		}
		if !utf8.ValidString(once) && utf8.ValidString(name) {
			t.Errorf("fold(%q) is not UTF-8: %q", name, once)
		}
		p := fold(prefix)
		// The quick ways agree with the slow one.
		slow := false
		words(once, func(at int) bool {
			slow = slow || len(p) <= len(once)-at && once[at:at+len(p)] == p
			return true
		})
		if p != "" && hasWord(once, p) != slow {
			t.Errorf("hasWord(%q, %q) is %v", once, p, !slow)
		}
		if once != "" && classOf(once, "", once) != exact {
			t.Errorf("%q is not itself", once)
		}
	})
}
