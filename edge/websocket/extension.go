package websocket

import (
	"errors"
	"slices"
	"strings"
)

const (
	deflateName = "permessage-deflate"
	// deflateAnswer and bitsAnswer are what is said to an offer that is taken.
	// Neither side keeps anything between messages: nothing per socket, and a
	// message that is the same for everybody (RFC 7692, section 7.1.1).
	deflateAnswer = "\r\nSec-WebSocket-Extensions: " + deflateName + "; server_no_context_takeover; client_no_context_takeover"
	bitsAnswer    = "; server_max_window_bits=12" // windowBits
)

// windowSizes are the values of a window's size, in bits; the first ones that
// we can't keep to.
var windowSizes = []string{"8", "9", "10", "11", "12", "13", "14", "15"}

const smallWindows = windowBits - 8

// errExtensions: what is offered isn't RFC 6455, section 9.1.
var errExtensions = errors.New("malformed extensions")

// offer is one permessage-deflate that a client would take.
type offer struct {
	unfit bool // has what we don't know, or can't do
	seen  uint8
	bits  bool // names a server_max_window_bits, which the answer must have, too
}

// The parameters of an offer (RFC 7692, section 7.1).
const (
	serverNoContext uint8 = 1 << iota
	clientNoContext
	serverBits
	clientBits
)

// param notes a parameter; hasValue tells "" from none.
func (o *offer) param(key, value string, hasValue bool) {
	size := slices.Index(windowSizes, value)
	var which uint8
	fit := false
	switch key {
	case "server_no_context_takeover":
		which, fit = serverNoContext, !hasValue
	case "client_no_context_takeover":
		which, fit = clientNoContext, !hasValue
	case "server_max_window_bits":
		which, fit = serverBits, size >= smallWindows
		o.bits = true
	case "client_max_window_bits": // a hint: we take what the client likes best
		which, fit = clientBits, !hasValue || size >= 0
	}
	if !fit || o.seen&which != 0 {
		o.unfit = true
	}
	o.seen |= which
}

// negotiateDeflate takes the first permessage-deflate offer in the values of
// Sec-WebSocket-Extensions that we can keep to. ok is false if there is none.
func negotiateDeflate(fields []string) (taken offer, ok bool, err error) {
	for _, field := range fields {
		for s := (scanner{rest: field}); s.more(); {
			name, o := s.token(), offer{}
			for s.take(';') {
				o.param(s.param())
			}
			if s.bad || !s.end() {
				return offer{}, false, errExtensions
			}
			if name == deflateName && !o.unfit && !ok {
				taken, ok = o, true
			}
		}
	}
	return taken, ok, nil
}

// scanner reads a list of extensions (RFC 6455, section 9.1) from the left. bad
// says that something wasn't there.
type scanner struct {
	rest string
	bad  bool
}

// more goes on to the next element of the list, of which some may be empty.
func (s *scanner) more() bool {
	s.rest = strings.TrimLeft(s.rest, " \t,")
	return s.rest != ""
}

// end says whether an element ends here.
func (s *scanner) end() bool { return s.rest == "" || s.rest[0] == ',' }

// take skips c, if it is next, and the space around it.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.space()
	return true
}

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

// token is the next token, never empty.
func (s *scanner) token() string {
	n := 0
	for n < len(s.rest) && isToken(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	s.bad = s.bad || n == 0
	return t
}

// param is the next parameter, its value unquoted.
func (s *scanner) param() (key, value string, hasValue bool) {
	key = s.token()
	if !s.take('=') {
		return key, "", false
	}
	if !strings.HasPrefix(s.rest, `"`) {
		return key, s.token(), true
	}
	return key, s.quoted(), true
}

// quoted is the token in the quotes that are next: unquoted, it must be one.
func (s *scanner) quoted() string {
	var value []byte
	for i := 1; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '"' {
			s.rest = s.rest[i+1:]
			s.bad = s.bad || len(value) == 0
			return string(value)
		}
		if c == '\\' && i+1 < len(s.rest) {
			i++
			c = s.rest[i]
		}
		s.bad = s.bad || !isToken(c)
		value = append(value, c)
	}
	s.bad = true
	return ""
}

// isToken says whether c may be in a token (RFC 9110, section 5.6.2).
func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
