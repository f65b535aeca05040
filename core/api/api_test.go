package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"selvedge/core/api"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

func TestPublish(t *testing.T) {
	r := newRig(t)
	p := wire.LogOf("room:x", logs)
	if got, want := r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:x","data":{"b":1,"a":[null]},"from":"ann","refs":["bob"],"msg_id":"m"}`), fmt.Sprintf(`{"p":%d,"seq":1,"epoch":"e1"}`, p); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	post := r.log.posts[0]
	if post.Data.String() != `{"a":[null],"b":1}` || post.From != "ann" || post.MsgID != "m" || post.TS != now().UnixMilli() || !cmp.Equal(post.Refs, []string{"bob"}) {
		t.Errorf("published %+v", post)
	}
	r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:x","data":null}`)
}

func TestIdempotency(t *testing.T) {
	r := newRig(t)
	const body, other = `{"channel":"room:x","data":1}`, `{"channel":"room:x","data":2}`
	first := r.must(t, 200, "POST", "/v1/publish", body, "Idempotency-Key", "k")
	again := r.must(t, 200, "POST", "/v1/publish", body, "Idempotency-Key", "k")
	if want := strings.TrimSuffix(first, "}") + `,"duplicate":true}`; again != want {
		t.Errorf("got %s, want %s", again, want)
	}
	code, field, _ := problemOf(t, r.must(t, 409, "POST", "/v1/publish", other, "Idempotency-Key", "k"))
	if code != "conflict" || field != "msg_id" {
		t.Errorf("%s, field %s", code, field)
	}
	r.must(t, 400, "POST", "/v1/publish", `{"channel":"room:x","data":1,"msg_id":"a"}`, "Idempotency-Key", "b")
	// Another key is another publisher, with ids of its own.
	if got := r.must(t, 200, "POST", "/v1/publish", other, "Idempotency-Key", "k", "Authorization", "Bearer other-key"); strings.Contains(got, "duplicate") {
		t.Errorf("the ids of two keys are one: %s", got)
	}
	// A batch repeated with its header is taken once.
	const batch = `{"items":[{"channel":"room:y","data":1},{"channel":"room:y","data":1}]}`
	r.must(t, 200, "POST", "/v1/publish/batch", batch, "Idempotency-Key", "b")
	n := len(r.log.posts)
	if got := r.must(t, 200, "POST", "/v1/publish/batch", batch, "Idempotency-Key", "b"); strings.Count(got, "duplicate") != 2 || len(r.log.posts) != n {
		t.Errorf("got %s", got)
	}
}

func TestSignal(t *testing.T) {
	r := newRig(t)
	r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:x","data":{"typing":true},"from":"ann","signal":true}`)
	if len(r.log.posts) != 0 || len(r.signals) != 1 || r.signals[0].From != "ann" || r.signals[0].Data.String() != `{"typing":true}` {
		t.Errorf("posts %v, signals %v", r.log.posts, r.signals)
	}
}

func TestMsgpackIsAnsweredInKind(t *testing.T) {
	r := newRig(t)
	body, err := wire.ParseJSON([]byte(`{"channel":"room:x","data":{"n":1.5,"s":"ß"}}`))
	if err != nil {
		t.Fatal(err)
	}
	w := r.do("POST", "/v1/publish", strings.NewReader(string(body)), "Content-Type", "application/msgpack")
	var got struct {
		P     int    `json:"p"`
		Seq   int    `json:"seq"`
		Epoch string `json:"epoch"`
	}
	if err := wire.Msgpack.DecodeStrict(w.Body.Bytes(), &got); err != nil || got.Seq != 1 || got.Epoch != "e1" {
		t.Errorf("%+v, %v", got, err)
	}
	if body, err = wire.ParseJSON([]byte(`{"channel":"topic:x","data":null,"from":null,"refs":null}`)); err != nil {
		t.Fatal(err)
	}
	if w = r.do("POST", "/v1/publish", strings.NewReader(string(body)), "Content-Type", "application/msgpack"); w.Code != 200 || r.log.posts[1].Data.String() != "null" {
		t.Errorf("null data: %d %s", w.Code, w.Body)
	}
	w = r.do("GET", "/v1/channels/room:x/history", nil, "Accept", "application/msgpack")
	var page struct {
		Frames []wire.Data `json:"frames"`
	}
	if err := wire.Msgpack.Decode(w.Body.Bytes(), &page); err != nil || len(page.Frames) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if text := page.Frames[0].String(); !strings.Contains(text, `"data":{"n":1.5,"s":"ß"}`) {
		t.Errorf("frame %s", text)
	}
}

func TestBatchKeepsTheOrderOfAChannel(t *testing.T) {
	r := newRig(t)
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"channel":"room:%d","data":%d}`, i%200, i))
	}
	answer := r.must(t, 200, "POST", "/v1/publish/batch", `{"items":[`+strings.Join(items, ",")+`]}`)
	var results struct{ Results []struct{ P, Seq int } }
	if err := json.Unmarshal([]byte(answer), &results); err != nil || len(results.Results) != 1000 {
		t.Fatalf("%d results, %v", len(results.Results), err)
	}
	for i, res := range results.Results {
		if post := r.log.posts[res.Seq-1]; post.Data.String() != fmt.Sprint(i) || int(wire.LogOf(post.Ch, logs)) != res.P {
			t.Fatalf("item %d is said to be at %d, where %s is", i, res.Seq, post.Data)
		}
		if i >= 200 && res.Seq <= results.Results[i-200].Seq {
			t.Fatalf("item %d of its channel is at %d, the one before it at %d", i, res.Seq, results.Results[i-200].Seq)
		}
	}
}

// A batch works on many channels at a time: here none goes on before all have begun.
func TestBatchPublishesChannelsSideBySide(t *testing.T) {
	r := newRig(t)
	var begun atomic.Int32
	all := make(chan struct{})
	r.log.begin = func(ctx context.Context) {
		if begun.Add(1) == 64 {
			close(all)
		}
		select {
		case <-all:
		case <-ctx.Done():
		}
	}
	var items []string
	for i := range 64 {
		items = append(items, fmt.Sprintf(`{"channel":"room:%d","data":%d}`, i, i))
	}
	r.must(t, 200, "POST", "/v1/publish/batch", `{"items":[`+strings.Join(items, ",")+`]}`)
}

func TestNothingIsAttemptedAfterAFailedItemOfTheChannel(t *testing.T) {
	r := newRig(t)
	r.log.fail = func(p *wire.Post) error {
		if p.Data.String() == `"bad"` {
			return fmt.Errorf("append: %w", corelog.ErrUnavailable)
		}
		return nil
	}
	answer := r.must(t, 200, "POST", "/v1/publish/batch", `{"items":[
		{"channel":"room:a","data":1},{"channel":"room:b","data":1},
		{"channel":"room:a","data":"bad"},{"channel":"room:a","data":3},{"channel":"room:b","data":2},{"channel":"room:a","data":4}]}`)
	var results struct {
		Results []struct {
			Seq   int
			Error struct{ Code, Message string }
		}
	}
	if err := json.Unmarshal([]byte(answer), &results); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "unavailable", "unavailable", "", "unavailable"} {
		if res := results.Results[i]; res.Error.Code != want || (res.Seq != 0) != (want == "") {
			t.Errorf("item %d: %+v", i, res)
		}
		if i == 3 || i == 5 {
			if m := results.Results[i].Error.Message; !strings.HasPrefix(m, "not attempted") {
				t.Errorf("item %d: %s", i, m)
			}
		}
	}
	if r.log.calls["room:a"] != 2 || r.log.calls["room:b"] != 2 {
		t.Errorf("attempts: %v", r.log.calls)
	}
}

func TestAnUnavailableLog(t *testing.T) {
	r := newRig(t)
	r.log.fail = func(*wire.Post) error { return fmt.Errorf("append: %w", corelog.ErrUnavailable) }
	w := r.do("POST", "/v1/publish", strings.NewReader(`{"channel":"room:x","data":1}`))
	if code, _, _ := problemOf(t, w.Body.String()); w.Code != 503 || code != "unavailable" || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	r.log.fail = func(*wire.Post) error { return errors.New("secret detail") }
	if got := r.must(t, 500, "POST", "/v1/publish", `{"channel":"room:x","data":1}`); strings.Contains(got, "secret") {
		t.Errorf("got %s", got)
	}
}

func TestDocuments(t *testing.T) {
	r := newRig(t)
	for _, kind := range []string{"users", "rooms"} {
		one := "/v1/" + kind + "/a%2Fb c"
		one = strings.ReplaceAll(one, " ", "%20")
		if got := r.must(t, 201, "PUT", one, `{"data":{"name":"A"}}`); got != `{"data":{"name":"A"},"version":1}` {
			t.Errorf("got %s", got)
		}
		r.must(t, 200, "PUT", one, `{"data":{"name":"B"},"version":5}`)
		r.must(t, 200, "PUT", one, `{"data":{"name":"B"},"version":5}`)
		_, field, _ := problemOf(t, r.must(t, 409, "PUT", one, `{"data":{"name":"C"},"version":4}`))
		if field != "version" {
			t.Errorf("field %s", field)
		}
		r.must(t, 409, "PUT", one, `{"data":{"name":"C"},"version":5}`)
		if got := r.must(t, 200, "PATCH", one, `{"data":{"name":null,"x":{"y":1}}}`); got != `{"data":{"x":{"y":1}},"version":6}` {
			t.Errorf("got %s", got)
		}
		if got := r.must(t, 200, "GET", one, ""); !strings.HasPrefix(got, `{"data":{"x":{"y":1}},"version":6`) {
			t.Errorf("got %s", got)
		}
		// A batch, and a document that is called like one.
		if got := r.must(t, 200, "POST", "/v1/"+kind+"/batch", `{"items":{"batch":{"data":{}},"a/b c":{"data":{},"version":2}}}`); !strings.Contains(got, `"batch":{"version":1,"created":true}`) || !strings.Contains(got, `"code":"conflict"`) {
			t.Errorf("got %s", got)
		}
		r.must(t, 200, "GET", "/v1/"+kind+"/batch", "")
		got := r.must(t, 200, "GET", "/v1/"+kind+"?limit=1", "")
		if !strings.HasPrefix(got, `{"items":[{"id":"a/b c","data":`) || !strings.HasSuffix(got, `"next":"a/b c"}`) {
			t.Errorf("got %s", got)
		}
		if got := r.must(t, 200, "GET", "/v1/"+kind+"?after=a%2Fb%20c", ""); strings.Contains(got, "next") || !strings.Contains(got, `"id":"batch"`) {
			t.Errorf("got %s", got)
		}
		r.must(t, 204, "DELETE", one, "")
		if got := r.must(t, 204, "DELETE", one, ""); got != "" {
			t.Errorf("got %s", got)
		}
		r.must(t, 404, "GET", one, "")
	}
	if got := r.must(t, 200, "GET", "/v1/users?after=zzz", ""); got != `{"items":[]}` {
		t.Errorf("got %s", got)
	}
}

func TestMembers(t *testing.T) {
	r := newRig(t)
	r.must(t, 201, "PUT", "/v1/rooms/x", `{"data":{}}`)
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/v1/rooms/x/members", `{"add":["b","a","b"]}`, `{"added":2,"removed":0,"member_count":2,"failed":[]}`},
		{"POST", "/v1/rooms/x/members", `{"add":["a","c"],"remove":["b","d"]}`, `{"added":1,"removed":1,"member_count":2,"failed":[]}`},
		{"PUT", "/v1/rooms/x/members", `{"members":["c","e"]}`, `{"added":1,"removed":1,"member_count":2,"failed":[]}`},
		{"GET", "/v1/rooms/x/members?limit=1", ``, `{"members":["c"],"next":"c"}`},
		{"GET", "/v1/rooms/x/members?after=c", ``, `{"members":["e"]}`},
		{"POST", "/v1/users/e/rooms", `{"add":["x","nowhere"]}`, `{"added":0,"removed":0,"failed":[{"id":"nowhere","code":"not_found","message":"not found"}]}`},
		{"GET", "/v1/users/e/rooms", ``, `{"rooms":["x"]}`},
		{"GET", "/v1/users/stranger/rooms", ``, `{"rooms":[]}`},
		{"GET", "/v1/rooms/x", ``, `{"data":{},"version":1,"member_count":2}`},
	} {
		if got := r.must(t, 200, step.method, step.path, step.body); got != step.want {
			t.Errorf("%s %s %s: got %s, want %s", step.method, step.path, step.body, got, step.want)
		}
	}
	r.must(t, 204, "DELETE", "/v1/rooms/x", "")
	if got := r.must(t, 200, "GET", "/v1/users/e/rooms", ""); got != `{"rooms":[]}` {
		t.Errorf("got %s", got)
	}
}

func TestHistory(t *testing.T) {
	r := newRig(t)
	r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:a/b","data":1}`)
	got := r.must(t, 200, "GET", "/v1/channels/room:a%2Fb/history?before=7&after=3&limit=5", "")
	if !strings.HasPrefix(got, `{"frames":[{"t":"message","p":`) || !strings.HasSuffix(got, `"floor":3,"last":1,"next":7}`) {
		t.Errorf("got %s", got)
	}
	if got := r.must(t, 200, "GET", "/v1/channels/room:none/history", ""); got != `{"frames":[],"floor":0,"last":1}` {
		t.Errorf("got %s", got)
	}
	if got := r.must(t, 200, "GET", "/v1/cluster", ""); got != `{"nodes":["core-1"]}` {
		t.Errorf("got %s", got)
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:x","data":1,"msg_id":"m"}`)
	r.must(t, 200, "POST", "/v1/publish", `{"channel":"room:x","data":1,"msg_id":"m"}`)
	r.must(t, 409, "POST", "/v1/publish", `{"channel":"room:x","data":2,"msg_id":"m"}`)
	err := testutil.GatherAndCompare(r.registry, strings.NewReader(`
# HELP selvedge_core_publishes_total Publishes of backends and clients, by result: ok, duplicate, conflict, too_large, unavailable, error.
# TYPE selvedge_core_publishes_total counter
selvedge_core_publishes_total{result="conflict"} 1
selvedge_core_publishes_total{result="duplicate"} 1
selvedge_core_publishes_total{result="error"} 0
selvedge_core_publishes_total{result="ok"} 1
selvedge_core_publishes_total{result="too_large"} 0
selvedge_core_publishes_total{result="unavailable"} 0
`), "selvedge_core_publishes_total")
	if err != nil {
		t.Error(err)
	}
	for _, name := range []string{"selvedge_core_publish_duration_seconds", "selvedge_api_request_duration_seconds"} {
		if n, err := testutil.GatherAndCount(r.registry, name); err != nil || n == 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// Serve lets a request that is under way finish, and then ends.
func TestServeStopsGracefully(t *testing.T) {
	r := newRig(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r.log.begin = func(ctx context.Context) { // the stop comes in the midst of a publish
		stop()
		for ctx.Err() == nil { // until nobody is let in any more
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}
	served := make(chan error, 1)
	go func() { served <- api.Serve(ctx, ln, r, nil) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ln.Addr().String()+"/v1/publish", strings.NewReader(`{"channel":"room:x","data":1}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", "dev")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		t.Errorf("%s, %v", resp.Status, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func BenchmarkBatch(b *testing.B) {
	for _, codec := range []wire.Codec{wire.JSON, wire.Msgpack} {
		b.Run(codec.String(), func(b *testing.B) {
			r := newRig(b)
			var items []string
			for i := range 1000 {
				items = append(items, fmt.Sprintf(`{"channel":"room:%d","from":"user%d","data":{"text":"a line of text as people write them, number %d","n":%d}}`, i%200, i, i, i))
			}
			body := []byte(`{"items":[` + strings.Join(items, ",") + `]}`)
			if codec == wire.Msgpack {
				d, err := wire.ParseJSON(body)
				if err != nil {
					b.Fatal(err)
				}
				body = d
			}
			b.ReportAllocs()
			for b.Loop() {
				if w := r.do("POST", "/v1/publish/batch", strings.NewReader(string(body)), "Content-Type", codec.ContentType()); w.Code != 200 {
					b.Fatal(w.Body)
				}
				r.log.posts, r.log.by = r.log.posts[:0], r.log.by[:0]
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// What the document shows is taken.
func TestOpenAPIExamples(t *testing.T) {
	for call, bodies := range api.DocumentedBodies(t) {
		method, path, _ := strings.Cut(call, " ")
		path = strings.NewReplacer("{id}", "general", "{node}", "edge-1").Replace(path)
		for _, body := range bodies {
			r := newRig(t)
			r.must(t, 201, "PUT", "/v1/rooms/general", `{"data":{}}`)
			r.must(t, 201, "PUT", "/v1/users/general", `{"data":{}}`)
			if status, answer := r.ask(t, method, path, body); status/100 != 2 {
				t.Errorf("%s %s: %d %s", call, body, status, answer)
			}
		}
	}
}
