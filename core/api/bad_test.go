package api_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"selvedge/wire"
)

// Whatever is wrong is named, and nothing is done.
func TestBadInput(t *testing.T) {
	large := strings.Repeat("x", wire.MaxData)
	deep := strings.Repeat("[", wire.MaxDepth+1) + strings.Repeat("]", wire.MaxDepth+1)
	manyIDs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"u%d",`, i)
		}
		return "[" + strings.TrimSuffix(b.String(), ",") + "]"
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, field              string
	}{
		{"no JSON", "POST", "/v1/publish", `{"channel":`, 400, "bad_request", ""},
		{"JSON and more", "POST", "/v1/publish", `{"channel":"room:x","data":1}{}`, 400, "bad_request", ""},
		{"an array", "POST", "/v1/publish", `[]`, 400, "bad_request", ""},
		{"no body", "POST", "/v1/publish", ``, 400, "bad_request", ""},
		{"unknown field", "POST", "/v1/publish", `{"channel":"room:x","data":1,"chanel":2}`, 400, "bad_request", "chanel"},
		{"a later issue's field", "POST", "/v1/publish", `{"channel":"room:x","data":1,"key":"k"}`, 400, "bad_request", "key"},
		{"wrong type", "POST", "/v1/publish", `{"channel":7,"data":1}`, 400, "bad_request", "channel"},
		{"no channel", "POST", "/v1/publish", `{"data":1}`, 400, "bad_request", "channel"},
		{"no data", "POST", "/v1/publish", `{"channel":"room:x"}`, 400, "bad_request", "data"},
		{"unknown kind", "POST", "/v1/publish", `{"channel":"rum:x","data":1}`, 400, "bad_request", "channel"},
		{"hidden kind", "POST", "/v1/publish", `{"channel":"cast:1","data":1}`, 400, "bad_request", "channel"},
		{"bad id", "POST", "/v1/publish", `{"channel":"room:a*","data":1}`, 400, "bad_request", "channel"},
		{"control character", "POST", "/v1/publish", `{"channel":"room:a\u0000","data":1}`, 400, "bad_request", "channel"},
		{"long id", "POST", "/v1/publish", `{"channel":"room:` + strings.Repeat("a", 129) + `","data":1}`, 400, "bad_request", "channel"},
		{"large data", "POST", "/v1/publish", `{"channel":"room:x","data":"` + large + `"}`, 413, "too_large", "data"},
		{"deep data", "POST", "/v1/publish", `{"channel":"room:x","data":[` + deep + `]}`, 400, "bad_request", ""},
		{"long msg_id", "POST", "/v1/publish", `{"channel":"room:x","data":1,"msg_id":"` + strings.Repeat("m", 257) + `"}`, 400, "bad_request", "msg_id"},
		{"long from", "POST", "/v1/publish", `{"channel":"room:x","data":1,"from":"` + strings.Repeat("m", 129) + `"}`, 400, "bad_request", "from"},
		{"bad ref", "POST", "/v1/publish", `{"channel":"room:x","data":1,"refs":[".."]}`, 400, "bad_request", "refs"},
		{"many refs", "POST", "/v1/publish", `{"channel":"room:x","data":1,"refs":` + manyIDs(101) + `}`, 413, "too_large", "refs"},
		{"large signal", "POST", "/v1/publish", `{"channel":"room:x","data":"` + large[:1024] + `","signal":true}`, 413, "too_large", "data"},
		{"signal with id", "POST", "/v1/publish", `{"channel":"room:x","data":1,"signal":true,"msg_id":"m"}`, 400, "bad_request", "msg_id"},
		{"batch without items", "POST", "/v1/publish/batch", `{}`, 400, "bad_request", "items"},
		{"bad item of a batch", "POST", "/v1/publish/batch", `{"items":[{"channel":"room:x","data":1},{"channel":"x","data":1}]}`, 400, "bad_request", "items[1].channel"},
		{"unknown field of an item", "POST", "/v1/publish/batch", `{"items":[{"channel":"room:x","data":1,"ttl":1}]}`, 400, "bad_request", "ttl"},
		{"document without data", "PUT", "/v1/users/u", `{}`, 400, "bad_request", "data"},
		{"document that is a list", "PUT", "/v1/users/u", `{"data":[]}`, 400, "bad_request", "data"},
		{"null document", "PUT", "/v1/rooms/x", `{"data":null}`, 400, "bad_request", "data"},
		{"large document", "PUT", "/v1/rooms/x", `{"data":{"a":"` + large + `"}}`, 413, "too_large", "data"},
		{"deep document", "PUT", "/v1/rooms/x", `{"data":{"a":` + deep + `}}`, 400, "bad_request", ""},
		{"negative version", "PUT", "/v1/users/u", `{"data":{},"version":-1}`, 400, "bad_request", "version"},
		{"huge version", "PUT", "/v1/users/u", `{"data":{},"version":9007199254740992}`, 400, "bad_request", "version"},
		{"fractional version", "PUT", "/v1/users/u", `{"data":{},"version":1.5}`, 400, "bad_request", "version"},
		{"bad id in the path", "PUT", "/v1/users/a%2A", `{"data":{}}`, 400, "bad_request", "id"},
		{"dots in the path", "PUT", "/v1/users/%2E%2E", `{"data":{}}`, 400, "bad_request", "id"},
		{"no UTF-8 in the path", "PUT", "/v1/users/%FF", `{"data":{}}`, 400, "bad_request", "id"},
		{"patch of nothing", "PATCH", "/v1/users/u", `{"data":{}}`, 404, "not_found", ""},
		{"patch with a list", "PATCH", "/v1/users/u", `{"data":[]}`, 400, "bad_request", "data"},
		{"bad id in a batch", "POST", "/v1/users/batch", `{"items":{"a*":{"data":{}}}}`, 400, "bad_request", "items"},
		{"bad item of documents", "POST", "/v1/users/batch", `{"items":{"ok":{"data":{}},"u":{"data":1}}}`, 400, "bad_request", "items.u.data"},
		{"null item of documents", "POST", "/v1/rooms/batch", `{"items":{"u":null}}`, 400, "bad_request", "items.u"},
		{"no room", "GET", "/v1/rooms/nowhere", ``, 404, "not_found", ""},
		{"no user", "GET", "/v1/users/nobody", ``, 404, "not_found", ""},
		{"members of no room", "POST", "/v1/rooms/nowhere/members", `{"add":["u"]}`, 404, "not_found", ""},
		{"list of no room", "GET", "/v1/rooms/nowhere/members", ``, 404, "not_found", ""},
		{"empty change", "POST", "/v1/rooms/x/members", `{}`, 400, "bad_request", "add"},
		{"bad member", "POST", "/v1/rooms/x/members", `{"add":["u",""]}`, 400, "bad_request", "add[1]"},
		{"in both lists", "POST", "/v1/rooms/x/members", `{"add":["a","u"],"remove":["b","u"]}`, 400, "bad_request", "remove[1]"},
		{"too many members", "POST", "/v1/rooms/x/members", `{"add":` + manyIDs(100_001) + `}`, 413, "too_large", "add"},
		{"no set of members", "PUT", "/v1/rooms/x/members", `{}`, 400, "bad_request", "members"},
		{"bad room", "POST", "/v1/users/u/rooms", `{"remove":["."]}`, 400, "bad_request", "remove[0]"},
		{"limit 0", "GET", "/v1/users?limit=0", ``, 400, "bad_request", "limit"},
		{"limit 1001", "GET", "/v1/rooms?limit=1001", ``, 400, "bad_request", "limit"},
		{"limit x", "GET", "/v1/users/u/rooms?limit=x", ``, 400, "bad_request", "limit"},
		{"bad after", "GET", "/v1/users?after=%00", ``, 400, "bad_request", "after"},
		{"unknown parameter", "GET", "/v1/users?limt=1", ``, 400, "bad_request", "limt"},
		{"bad query", "GET", "/v1/users?a=%zz", ``, 400, "bad_request", ""},
		{"bad channel", "GET", "/v1/channels/x/history", ``, 400, "bad_request", "ch"},
		{"bad position", "GET", "/v1/channels/room:x/history?before=-1", ``, 400, "bad_request", "before"},
		{"no such path", "GET", "/v2/users", ``, 404, "not_found", ""},
		{"wrong method", "GET", "/v1/publish", ``, 405, "method_not_allowed", ""},
		{"wrong method on a document", "POST", "/v1/users/u", `{}`, 405, "method_not_allowed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			body := r.must(t, c.status, c.method, c.path, c.body)
			code, field, message := problemOf(t, body)
			if code != c.code || field != c.field {
				t.Errorf("got %s, field %q: %s", code, field, message)
			}
			if n := len(r.log.posts) + len(r.signals) + int(r.log.state); n != 0 {
				t.Errorf("%d records were written", n)
			}
		})
	}
}

func TestBadMsgpack(t *testing.T) {
	for _, c := range []struct{ name, path, body, field string }{
		{"hostile array", "/v1/publish", "81a178ddffffffff", ""},
		{"hostile map", "/v1/publish", "81a178dfffffffff", ""},
		{"cut", "/v1/publish", "82a7", ""},
		{"binary", "/v1/publish", "82a76368616e6e656ca6726f6f6d3a78a464617461c40100", ""},
		{"no map", "/v1/publish", "93010203", ""},
		{"unknown field", "/v1/publish", "81a46b65797301", "keys"},
		{"wrong type", "/v1/publish", "81a76368616e6e656c07", "channel"},
		{"trailing", "/v1/publish", "80c0", ""},
		{"hostile list", "/v1/rooms/x/members", "81a3616464ddffffffff", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			raw, err := hex.DecodeString(c.body)
			if err != nil {
				t.Fatal(err)
			}
			w := r.do("POST", c.path, bytes.NewReader(raw), "Content-Type", "application/msgpack")
			if w.Code != http.StatusBadRequest || w.Header().Get("Content-Type") != "application/msgpack" {
				t.Fatalf("got %d, %s", w.Code, w.Header().Get("Content-Type"))
			}
			text, err := wire.Data(w.Body.Bytes()).MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if code, field, message := problemOf(t, string(text)); code != "bad_request" || c.field != "" && field != c.field {
				t.Errorf("%s, field %q: %s", code, field, message)
			}
		})
	}
}

func TestOversizeBody(t *testing.T) {
	r := newRig(t)
	for name, body := range map[string]io.Reader{
		"announced": strings.NewReader(`{"channel":"room:x","data":"` + strings.Repeat("x", 17<<20) + `"}`),
		"streamed":  io.LimitReader(zeros{}, 17<<20),
	} {
		w := r.do("POST", "/v1/publish", body)
		if code, _, _ := problemOf(t, w.Body.String()); w.Code != http.StatusRequestEntityTooLarge || code != "too_large" {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestKeys(t *testing.T) {
	r := newRig(t)
	const body = `{"channel":"room:x","data":1}`
	r.must(t, 200, "POST", "/v1/publish", body)
	r.must(t, 200, "POST", "/v1/publish", body, "Authorization", "", "X-API-Key", "other-key")
	for _, header := range [][]string{{"Authorization", ""}, {"Authorization", "Bearer wrong"}, {"Authorization", "Basic ZGV2"}, {"Authorization", "dev"}, {"Authorization", "", "X-API-Key", "nope"}} {
		w := r.do("POST", "/v1/publish", strings.NewReader(body), header...)
		code, _, message := problemOf(t, w.Body.String())
		if w.Code != 401 || code != "unauthorized" || !strings.Contains(message, "Authorization: Bearer KEY") || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: got %d %s", header, w.Code, w.Body)
		}
	}
	if len(r.log.posts) != 2 || r.log.by[0] != "dev" || r.log.by[1] != "other" {
		t.Errorf("published by %q", r.log.by)
	}
	r.must(t, 200, "GET", "/v1/openapi.json", "", "Authorization", "")
}

func TestContentTypes(t *testing.T) {
	r := newRig(t)
	const body = `{"channel":"room:x","data":1}`
	for kind, status := range map[string]int{
		"":                                  200,
		"application/json":                  200,
		"application/json; charset=utf-8":   200,
		"text/plain":                        415,
		"application/x-www-form-urlencoded": 415,
		"application/;":                     415,
	} {
		answer := r.must(t, status, "POST", "/v1/publish", body, "Content-Type", kind)
		if status == 415 {
			if code, _, message := problemOf(t, answer); code != "unsupported_media_type" || !strings.Contains(message, kind) {
				t.Errorf("%s: %s", kind, answer)
			}
		}
	}
	r.must(t, 415, "POST", "/v1/publish", body, "Content-Encoding", "gzip")
}

func TestAllow(t *testing.T) {
	r := newRig(t)
	for path, allow := range map[string]string{
		"/v1/publish":         "POST",
		"/v1/users/u":         "DELETE, GET, HEAD, PATCH, PUT",
		"/v1/rooms/x/members": "GET, HEAD, POST, PUT",
	} {
		w := r.do("OPTIONS", path, nil)
		if w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %d, Allow: %s", path, w.Code, w.Header().Get("Allow"))
		}
	}
}
