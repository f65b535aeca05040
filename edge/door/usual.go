package door

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// usual reads the heads that nearly all clients send, in memory that is used
// again: http.ReadRequest makes 1.2 KB of garbage for each, and takes three times
// as long. It understands less, and leaves all else to that: whatever has a second
// meaning, or none. The zero value is ready to use.
type usual struct {
	request http.Request
	url     url.URL
	header  http.Header
	values  []string // those in header
}

// maxFields is the most that a usual head has: browsers send 15 or so.
const maxFields = 32

// read is the request of a whole head for path, whether or not it says that its
// client comes back, or nil if it isn't a usual one.
// It has what http.ReadRequest would give it, but for Close and the context, and
// is valid until the next call.
func (u *usual) read(head []byte, path string) *http.Request {
	const before, query, behind = "GET ", "?" + resumeQuery, " HTTP/1.1\r\n"
	size := len(before) + len(path)
	if len(head) < size || string(head[len(before):size]) != path || !plainPath(path) || !bytes.HasPrefix(head, []byte(before)) {
		return nil
	}
	target := url.URL{Path: path}
	if bytes.HasPrefix(head[size:], []byte(query)) {
		target.RawQuery = resumeQuery
		size += len(query)
	}
	if !bytes.HasPrefix(head[size:], []byte(behind)) {
		return nil
	}
	uri, from := path, size+len(behind)
	if target.RawQuery != "" {
		from = len(before)
	}
	text := string(head[from:]) // all values are parts of it
	if target.RawQuery != "" {
		uri = text[:size-len(before)]
		text = text[len(uri)+len(behind):]
	}
	if u.header == nil {
		u.header = http.Header{}
	}
	clear(u.header)
	u.values = u.values[:0]
	host, fields := "", 0
	for text != "\r\n" {
		var line string
		var ok bool
		if line, text, ok = strings.Cut(text, "\r\n"); !ok {
			return nil
		}
		name, value, ok := strings.Cut(line, ":")
		if name = fieldName(name); !ok || name == "" || fields == maxFields {
			return nil
		}
		fields++
		if value = strings.Trim(value, " \t"); !plainValue(value) {
			return nil
		}
		if name != "Host" {
			u.add(name, value)
		} else if host == "" && value != "" {
			host = value
		} else {
			return nil
		}
	}
	if _, ok := u.header["Cache-Control"]; host == "" || !ok && u.header["Pragma"] != nil {
		return nil // net/http makes one of the other
	}
	u.url = target
	u.request = http.Request{
		Method: http.MethodGet, URL: &u.url, RequestURI: uri, Host: host, Header: u.header, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return &u.request
}

// add adds a field.
func (u *usual) add(name, value string) {
	if u.values == nil {
		u.values = make([]string, 0, maxFields) // never moved: header has parts of it
	}
	if has := u.header[name]; has != nil {
		u.header[name] = append(has, value) // a copy: has can't grow
		return
	}
	n := len(u.values)
	u.values = append(u.values, value)
	u.header[name] = u.values[n : n+1 : n+1]
}

// fieldName is a field's name as http.Header has it; "" for those that mean
// something to HTTP itself, and for what has an odd form.
func fieldName(name string) string {
	if known, ok := fieldNames[name]; ok {
		return known
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return ""
		}
	}
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Content-Length", "Transfer-Encoding", "Trailer", "Expect":
		return ""
	}
	return name
}

// fieldNames are those of the fields that sockets' clients send, as most write
// them: to look them up allocates nothing.
var fieldNames = map[string]string{
	"Sec-WebSocket-Key": "Sec-Websocket-Key", "Sec-WebSocket-Version": "Sec-Websocket-Version",
	"Sec-WebSocket-Protocol": "Sec-Websocket-Protocol", "Sec-WebSocket-Extensions": "Sec-Websocket-Extensions",
	"Host": "Host", "Upgrade": "Upgrade", "Connection": "Connection", "Origin": "Origin",
	"Authorization": "Authorization", "Cookie": "Cookie", "User-Agent": "User-Agent",
	"Accept-Language": "Accept-Language", "Accept-Encoding": "Accept-Encoding", "Cache-Control": "Cache-Control", "Pragma": "Pragma",
}

// plainValue says whether a field's value has no control characters.
func plainValue(value string) bool {
	for _, c := range []byte(value) {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// plainPath says whether a URL of path alone is path.
func plainPath(path string) bool {
	for _, c := range []byte(path) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//")
}
