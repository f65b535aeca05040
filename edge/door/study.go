package door

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"

	"selvedge/edge/websocket"
)

// maxHead is the longest head of a request for a socket, in bytes. A longer one
// is left to the HTTP server.
const maxHead = 16 << 10

// verdict says what is to be done with a connection, by what it has sent.
type verdict uint8

const (
	wait   verdict = iota // for more
	socket                // a socket, as agreed
	page                  // the HTTP server's
	refuse                // what would have been the HTTP server's to refuse, if there weren't so many
)

// headEnd is the index behind the blank line that ends a request's head, or -1.
// The first from bytes of b were searched before.
func headEnd(b []byte, from int) int {
	for i := max(0, from-2); ; {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			return -1
		}
		i += k + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// parser reads requests.
type parser struct {
	usual usual
	from  bytes.Reader
	in    *bufio.Reader
	buf   []byte // of handshakes with a goroutine: what they read into
}

func newParser() *parser { return &parser{in: bufio.NewReader(nil)} }

// space is an empty buffer, which is used again by the next call.
func (p *parser) space() []byte {
	if p.buf == nil {
		p.buf = make([]byte, 0, readSize)
	}
	return p.buf
}

// read parses a whole head, of a request for path most likely. The request is
// valid until the next call.
func (p *parser) read(head []byte, path string) (*http.Request, bool) {
	if r := p.usual.read(head, path); r != nil {
		return r, true
	}
	p.from.Reset(head)
	p.in.Reset(&p.from)
	r, err := http.ReadRequest(p.in)
	p.from.Reset(nil)
	return r, err == nil
}

// study says what to do with a connection that has sent b, of which the first
// searched bytes are known to have no end of a head. A socket's head are the
// first end bytes.
func (d *Door) study(p *parser, b []byte, searched int) (v verdict, r *http.Request, a websocket.Agreement, end int) {
	if len(b) > 0 && b[0] == '\n' || len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
		return page, nil, a, 0 // an empty first line: no request
	}
	end = headEnd(b, searched)
	switch {
	case end < 0 && len(b) <= maxHead:
		return wait, nil, a, 0
	case end < 0 || end > maxHead || !d.mayBeSocket(b):
		return page, nil, a, 0
	case !d.cfg.Open():
		if !d.gate.admit(d.now()) {
			return refuse, nil, a, 0
		}
		return page, nil, a, 0
	}
	r, ok := p.read(b[:end], d.cfg.Path)
	if !ok || !d.isSocket(r) {
		return page, nil, a, 0
	}
	a, err := d.cfg.Check(r)
	if err != nil {
		return page, nil, a, 0
	}
	return socket, r, a, end
}

// mayBeSocket saves the parsing of what is none. A target with a host is not
// thought of: proxies send it.
func (d *Door) mayBeSocket(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("GET "))
	return ok && bytes.HasPrefix(rest, []byte(d.cfg.Path))
}

// isSocket says whether r asks for a socket, in a form about which there is no
// doubt. It is no looser than http.Server, which sees to all the rest.
func (d *Door) isSocket(r *http.Request) bool {
	if r.Method != http.MethodGet || r.URL.Path != d.cfg.Path || r.URL.RawPath != "" {
		return false
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Header.Get("Expect") != "" || !plainHost(r.Host) {
		return false
	}
	for name := range r.Header {
		if strings.Contains(name, " ") {
			return false // http.ReadRequest lets it pass
		}
	}
	return true
}

// plainHost says whether host is a name or an address, maybe with a port.
func plainHost(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._:[]", c) >= 0:
		default:
			return false
		}
	}
	return host != ""
}
