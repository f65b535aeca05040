package websocket

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What clients offer, and what they get.
func TestNegotiateDeflate(t *testing.T) {
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	const bits = plain + "; server_max_window_bits=12"
	for name, test := range map[string]struct {
		offers []string
		want   string // "" = the offer is declined
	}{
		"none":                      {nil, ""},
		"empty":                     {[]string{""}, ""},
		"empty elements":            {[]string{" , ,permessage-deflate,, "}, plain},
		"a browser's":               {[]string{"permessage-deflate; client_max_window_bits"}, plain},
		"no parameters":             {[]string{"permessage-deflate"}, plain},
		"no space":                  {[]string{"permessage-deflate;server_no_context_takeover;client_no_context_takeover"}, plain},
		"much space":                {[]string{"\tpermessage-deflate ;\tclient_max_window_bits = 10 "}, plain},
		"another extension":         {[]string{"x-webkit-deflate-frame"}, ""},
		"another one first":         {[]string{`bbf-usp-protocol; eid="a.b", permessage-deflate`}, plain},
		"another header":            {[]string{"mux", "permessage-deflate"}, plain},
		"a longer name":             {[]string{"permessage-deflate2"}, ""},
		"another case":              {[]string{"Permessage-Deflate"}, ""},
		"client's window":           {[]string{"permessage-deflate; client_max_window_bits=8"}, plain},
		"our window":                {[]string{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"}, bits},
		"a large window":            {[]string{"permessage-deflate; server_max_window_bits=15"}, bits},
		"quoted":                    {[]string{`permessage-deflate; server_max_window_bits="13"`}, bits},
		"quoted pairs":              {[]string{`permessage-deflate; server_max_window_bits="1\3"`}, bits},
		"too small a window":        {[]string{"permessage-deflate; server_max_window_bits=11"}, ""},
		"the smallest window":       {[]string{"permessage-deflate; server_max_window_bits=8"}, ""},
		"the second one":            {[]string{"permessage-deflate; server_max_window_bits=9, permessage-deflate; server_no_context_takeover"}, plain},
		"the first of two":          {[]string{"permessage-deflate; server_max_window_bits=12", "permessage-deflate"}, bits},
		"no window":                 {[]string{"permessage-deflate; server_max_window_bits"}, ""},
		"window of 7":               {[]string{"permessage-deflate; client_max_window_bits=7"}, ""},
		"window of 16":              {[]string{"permessage-deflate; client_max_window_bits=16"}, ""},
		"window of 012":             {[]string{"permessage-deflate; server_max_window_bits=012"}, ""},
		"a value too many":          {[]string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		"a client's value too many": {[]string{"permessage-deflate; client_no_context_takeover=true"}, ""},
		"unknown parameter":         {[]string{"permessage-deflate; x"}, ""},
		"twice":                     {[]string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, ""},
		"twice, two values":         {[]string{"permessage-deflate; server_max_window_bits=12; server_max_window_bits=13"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {goodKey},
				"Sec-Websocket-Extensions": test.offers,
			}}
			for _, on := range []bool{true, false} {
				want := ""
				if on {
					want = test.want
				}
				a, err := Upgrader{Deflate: on}.Check(r)
				if err != nil || a.Deflate != (want != "") {
					t.Errorf("on = %v: %+v, %v", on, a, err)
				}
				_, got, _ := strings.Cut(string(a.AppendAnswer(nil)), "Sec-WebSocket-Extensions: ")
				if want != "" {
					want += "\r\n\r\n"
				}
				if got != want {
					t.Errorf("on = %v: the answer is %q, want %q", on, got, want)
				}
			}
		})
	}
}

// Who sends what is no list of extensions is told so (RFC 6455, section 9.1).
func TestMalformedExtensions(t *testing.T) {
	for _, field := range []string{
		";", "=", "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate x", "permessage-deflate; a=", `a; b="`, `a; b=""`,
		`a; b="c`, `a; b="c\`, `a; b="c d"`, `a; b="c" d`, "a/b", "a; b=c=d", "permessage-deflate, ;", "ä", "a; b=\x00", `"a"`,
	} {
		if _, ok, err := negotiateDeflate([]string{"permessage-deflate", field}); err == nil || ok {
			t.Errorf("%q is taken", field)
		}
	}
	addr, _ := serve(t, Upgrader{Deflate: true})
	_, resp := ask(t, addr, request(map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate; a=b=c"}))
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "a=b=c") {
		t.Errorf("%s %s, %v", resp.Status, body, err)
	}
}

// wellFormed is RFC 6455, section 9.1, for a field that lists extensions or none.
var wellFormed = func() *regexp.Regexp {
	const (
		char  = "[!#$%&'*+.^_`|~0-9A-Za-z-]"
		space = `[ \t]*`
		value = `(` + char + `+|"(\\?` + char + `)+")`
		param = char + `+(` + space + `=` + space + value + `)?`
		one   = char + `+(` + space + `;` + space + param + `)*`
	)
	return regexp.MustCompile(`^[ \t,]*(` + one + space + `(,[ \t,]*|$))*$`)
}()

// takenPlainly says whether there is an offer to take in a well-formed field
// without quotes.
func takenPlainly(field string) bool {
	for e := range strings.SplitSeq(field, ",") {
		name, rest, _ := strings.Cut(e, ";")
		fit := strings.Trim(name, " \t") == "permessage-deflate"
		seen := map[string]bool{}
		for p := range strings.SplitSeq(rest, ";") {
			p = strings.NewReplacer(" ", "", "\t", "").Replace(p)
			key, value, has := strings.Cut(p, "=")
			bits, err := strconv.Atoi(value)
			if strconv.Itoa(bits) != value {
				bits = 0 // such as 012
			}
			switch key {
			case "server_no_context_takeover", "client_no_context_takeover":
				fit = fit && !has
			case "server_max_window_bits":
				fit = fit && err == nil && bits >= 12 && bits <= 15
			case "client_max_window_bits":
				fit = fit && (!has || err == nil && bits >= 8 && bits <= 15)
			default:
				fit = fit && p == ""
			}
			fit = fit && !seen[key]
			seen[key] = true
		}
		if fit {
			return true
		}
	}
	return false
}

// Any bytes: no panic, and what a dumb parser says.
func FuzzNegotiateDeflate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`a; b="c\d", permessage-deflate; server_max_window_bits="12"`)
	f.Add("permessage-deflate; server_max_window_bits=9, permessage-deflate; server_no_context_takeover")
	f.Add("permessage-deflate; server_max_window_bits=012,, permessage-deflate;server_max_window_bits=13;client_max_window_bits=+9")
	f.Add("permessage-deflate;;")
	f.Fuzz(func(t *testing.T, field string) {
		_, ok, err := negotiateDeflate([]string{field})
		if well := wellFormed.MatchString(field); well != (err == nil) {
			t.Fatalf("well-formed: %v; %v", well, err)
		}
		if err == nil && !strings.Contains(field, `"`) && ok != takenPlainly(field) {
			t.Fatalf("taken: %v", ok)
		}
	})
}
