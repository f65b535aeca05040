package top

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// style is how a text looks on a terminal. Its colours are the terminal's own.
type style string

// Styles, by their SGR parameters (ECMA-48, 8.3.117).
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	title  style = "1;7" // reversed
	letter style = "1;4;7"
	good   style = "32"
	warn   style = "33"
	bad    style = "1;31"
)

// span is text in one style.
type span struct {
	text string
	style
}

// line is a line of a picture.
type line []span

// say is a line of one span.
func say(s style, text string) line { return line{{text, s}} }

// width is how many columns text takes.
func width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return uniseg.StringWidth(text)
		}
	}
	return len(text) // nearly all is
}

// clean is text without what moves a terminal's cursor or does other things to
// it: names and versions come from other machines.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, text)
}

// cut is text in at most room columns; what is cut off is marked.
func cut(text string, room int) string {
	if width(text) <= room {
		return text
	}
	if room <= 0 {
		return ""
	}
	var kept strings.Builder
	left := room - 1
	for rest, state := text, -1; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if w > left {
			break
		}
		left -= w
		kept.WriteString(cluster)
	}
	return kept.String() + "…"
}

// pad is text in exactly room columns, cut or filled up, on the left if right.
func pad(text string, room int, right bool) string {
	text = cut(text, room)
	fill := strings.Repeat(" ", max(room-width(text), 0))
	if right {
		return fill + text
	}
	return text + fill
}

// wrap is text in lines of at most room columns, at most most of them.
func wrap(text string, room, most int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && (width(lines[n-1])+1+width(word) <= room || n == most) {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	for i := range lines {
		lines[i] = cut(lines[i], room)
	}
	return lines
}

// cut is l in at most room columns.
func (l line) cut(room int) line {
	var out line
	for _, s := range l {
		s.text = cut(s.text, room)
		room -= width(s.text)
		out = append(out, s)
	}
	return out
}

// text is l without styles.
func (l line) text() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return strings.TrimRight(b.String(), " ")
}

// ansi is l as a terminal shows it. It ends without a style.
func (l line) ansi() string {
	var b strings.Builder
	for _, s := range l {
		switch {
		case s.text == "":
		case s.style == plain:
			b.WriteString(s.text)
		default:
			b.WriteString("\x1b[" + string(s.style) + "m" + s.text + "\x1b[0m")
		}
	}
	return b.String()
}

// faded is l all in one style.
func (l line) faded(as style) line { return say(as, l.text()) }
