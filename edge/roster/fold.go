package roster

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold makes equal what a searching person takes for equal: case, width, accents
// and other marks of Latin, Greek and Cyrillic, ligatures, and the number of
// spaces. What it returns is for comparing only. It returns s itself where
// nothing changes.
//
// The form is decomposed, so that the beginning of a Hangul syllable finds the
// syllable (Unicode Standard Annex 15, NFKD).
func fold(s string) string {
	plain := true // nothing to do but lower case, at most
	upper := false
	space := true
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c < ' ' || c == ' ' && space {
			plain = false
			break
		}
		upper = upper || 'A' <= c && c <= 'Z'
		space = c == ' '
	}
	switch {
	case plain && (s == "" || !space):
		if upper {
			return strings.ToLower(s)
		}
		return s
	default:
		return foldFully(s)
	}
}

// caser is stateless.
var caser = cases.Fold()

func foldFully(s string) string {
	s = bare(norm.NFKD.String(s))
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		s = bare(norm.NFKD.String(caser.String(s)))
	}
	return strings.ToLower(strings.Join(strings.Fields(s), " "))
}

// bare is s without combining marks, and with letters instead of those that
// have a mark in them which Unicode does not take apart.
func bare(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case unicode.Is(combining, r):
		default:
			if plain, ok := barred[r]; ok {
				b.WriteString(plain)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// combining are the blocks of combining diacritical marks. Marks that are
// vowels or consonants of their script, as in Devanagari or Kana, are not
// among them.
var combining = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1},
	{Lo: 0x1ab0, Hi: 0x1aff, Stride: 1},
	{Lo: 0x1dc0, Hi: 0x1dff, Stride: 1},
	{Lo: 0x20d0, Hi: 0x20ff, Stride: 1},
	{Lo: 0xfe20, Hi: 0xfe2f, Stride: 1},
}}

var barred = map[rune]string{
	'ł': "l", 'Ł': "l", 'ø': "o", 'Ø': "o", 'đ': "d", 'Đ': "d", 'ð': "d", 'Ð': "d", 'ħ': "h", 'Ħ': "h", 'ŧ': "t", 'Ŧ': "t",
	'ı': "i", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'þ': "th", 'Þ': "th",
}

// maxWords is how many words of a name count, beside the first.
const maxWords = 8

// words calls yield with where in a folded name a word begins, but for the
// beginning of the name, until it returns false.
func words(name string, yield func(at int) bool) {
	inside := true // the name's own beginning is no word beside it
	n := 0
	for at, r := range name {
		letter := unicode.IsLetter(r) || unicode.IsNumber(r)
		if letter && !inside {
			if n++; n > maxWords || !yield(at) {
				return
			}
		}
		inside = letter || unicode.IsMark(r)
	}
}

// class says how well a member fits what is looked for: the lower, the better.
type class uint8

const (
	exact      class = iota // the name or the id
	nameBegins              // with it
	wordBegins              // of the name
	idBegins
	unfit
)

// classOf is how well a folded name and id fit a folded prefix. Everything
// begins with nothing.
func classOf(name, id, prefix string) class {
	switch {
	case prefix == "":
		return nameBegins
	case name == prefix || id == prefix:
		return exact
	case strings.HasPrefix(name, prefix):
		return nameBegins
	case hasWord(name, prefix):
		return wordBegins
	case strings.HasPrefix(id, prefix):
		return idBegins
	}
	return unfit
}

func hasWord(name, prefix string) (found bool) {
	// Nearly all names don't have it anywhere, which is found out sooner.
	if len(prefix) >= len(name) || !strings.Contains(name[1:], prefix) {
		return false
	}
	words(name, func(at int) bool {
		found = strings.HasPrefix(name[at:], prefix)
		return !found
	})
	return found
}
