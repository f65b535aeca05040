package wire

import "unicode/utf8"

// NameOf is the "name" of a document, as searches look at it: its first MaxName
// bytes, cut between two characters. It is "" if the document has none, or one
// that is no string, or is no map. It reads no further than it must, and believes
// nothing that it reads.
func NameOf(doc Data) string {
	h, err := scanHead(doc)
	if err != nil || h.kind != kindMap {
		return ""
	}
	rest := doc[h.size:]
	for range h.n {
		key, err := scanHead(rest)
		if err != nil || key.kind != kindString || key.n > len(rest)-key.size {
			return ""
		}
		found := string(rest[key.size:key.size+key.n]) == "name"
		rest = rest[key.size+key.n:]
		if found {
			return nameValue(rest)
		}
		n, err := skip(rest, 1)
		if err != nil {
			return ""
		}
		rest = rest[n:]
	}
	return ""
}

// nameValue is the string at the start of b, cut.
func nameValue(b Data) string {
	h, err := scanHead(b)
	if err != nil || h.kind != kindString || h.n > len(b)-h.size {
		return ""
	}
	text := b[h.size : h.size+h.n]
	if len(text) > MaxName {
		at := MaxName
		for at > MaxName-utf8.UTFMax && !utf8.RuneStart(text[at]) {
			at--
		}
		text = text[:at]
	}
	if !utf8.Valid(text) {
		return ""
	}
	return string(text)
}
