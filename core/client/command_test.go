package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/wire"
)

// run runs `selvedge publish` with args.
func run(t testing.TB, stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var cli struct {
		Publish client.PublishCommand `cmd:""`
	}
	var out, errs bytes.Buffer
	status = config.Main(t.Context(), append([]string{"publish"}, args...), config.IO{Stdin: stdin, Stdout: &out, Stderr: &errs}, &cli)
	return status, out.String(), errs.String()
}

func TestPublishOne(t *testing.T) {
	c := newCore(t)
	if _, err := c.PutRoom(t.Context(), "x", client.Document{Data: data(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := run(t, nil, "--dev", "--core", c.url, "--from", "ann", "--msg-id", "m", "room:x", `{"text":"hi"}`)
	var placed client.Placed
	if err := json.Unmarshal([]byte(stdout), &placed); status != 0 || stderr != "" || err != nil || placed.Seq != 1 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	page, err := c.History(t.Context(), "room:x", client.Span{})
	if err != nil || len(page.Frames) != 1 || !strings.Contains(page.Frames[0].String(), `"from":"ann","msg_id":"m","data":{"text":"hi"}`) {
		t.Errorf("%v, %v", page.Frames, err)
	}
	if status, _, _ = run(t, nil, "--dev", "--core", c.url, "--text", "topic:x", `hello "you"`); status != 0 {
		t.Errorf("status %d", status)
	}
	if status, _, stderr = run(t, nil, "--dev", "--core", c.url, "room:nowhere", `1`); status != 0 || !strings.Contains(stderr, `there is no room "nowhere"`) {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestPublishOneWrong(t *testing.T) {
	c := newCore(t)
	for _, step := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--dev", "room:x", "hi"}, 1, `"hi" is not JSON`},
		{[]string{"--dev", "room:x", "hi"}, 1, `'"hi"', or use --text`},
		{[]string{"--dev", "rum:x", "1"}, 1, `rum:x`},
		{[]string{"--dev", "room:x"}, 2, `DATA is missing`},
		{[]string{"--dev", "-", "1"}, 2, `leave out "1"`},
		{[]string{"--dev", "--msg-id", "m", "-"}, 2, `own msg_id`},
		{[]string{"room:x", "1"}, 2, `--key`},
		{[]string{"--dev", "--key", "k", "room:x", "1"}, 2, `exclude`},
		{[]string{"--key", "wrong", "room:x", "1"}, 1, `the API key is not known`},
		{[]string{"--key", "wrong", "-"}, 1, `the API key is not known`},
	} {
		status, _, stderr := run(t, strings.NewReader(`{"channel":"room:x","data":1}`), append([]string{"--core", c.url}, step.args...)...)
		if status != step.status || !strings.Contains(stderr, step.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q", step.args, status, stderr)
		}
	}
}

// lines is a stream of n messages over rooms.
func lines(n, rooms int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"channel":"room:%d","data":{"n":%d},"from":"u%d"}`+"\n", i%rooms, i, i%7)
	}
	return b.String()
}

type sum struct {
	Acknowledged, Failed int
	Seconds              float64
	PerSecond            float64 `json:"per_second"`
}

func summaryOf(t testing.TB, stdout string) (s sum) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || strings.Count(stdout, "\n") != 1 {
		t.Errorf("%q is no summary: %v", stdout, err)
	}
	return s
}

func TestPublishAStreamKeepsTheOrderOfChannels(t *testing.T) {
	c := newCore(t)
	const n, rooms = 5000, 20
	status, stdout, stderr := run(t, strings.NewReader(lines(n, rooms)), "--dev", "--core", c.url, "-")
	if s := summaryOf(t, stdout); status != 0 || s.Acknowledged != n || s.Failed != 0 || s.PerSecond <= 0 {
		t.Fatalf("status %d, %+v, %q", status, s, stderr)
	}
	if got := strings.Count(stderr, "there is no room"); got != rooms {
		t.Errorf("%d rooms are unknown, %d are told", rooms, got)
	}
	for room := range rooms {
		want := room
		for after := wire.Seq(0); ; {
			page, err := c.History(t.Context(), wire.RoomChannel(wire.RoomID(fmt.Sprint(room))), client.Span{After: after, FromStart: true, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page.Frames {
				if !strings.Contains(f.String(), fmt.Sprintf(`"data":{"n":%d}`, want)) {
					t.Fatalf("room %d: %s where %d belongs", room, f, want)
				}
				want += rooms
			}
			if after = page.Next; after == 0 {
				break
			}
		}
		if want != n+room {
			t.Errorf("room %d ends before %d", room, want)
		}
	}
}

func TestABadLineStopsBeforeIt(t *testing.T) {
	c := newCore(t)
	for bad, want := range map[string]string{
		`{"channel":"room:1"`:                      "malformed JSON",
		`{"channel":"room:1","data":1,"chan":2}`:   "chan: unknown field",
		`{"channel":"rum:1","data":1}`:             "rum:1",
		`{"data":1}`:                               "channel",
		`{"channel":"room:1"}`:                     "data is missing",
		`{"channel":"room:1","data":1,"msg_id":7}`: "msg_id",
	} {
		status, stdout, stderr := run(t, strings.NewReader(lines(3, 3)+"\n"+bad+"\n"+lines(2, 2)), "--dev", "--core", c.url, "-")
		if s := summaryOf(t, stdout); status != 1 || s.Acknowledged != 3 || s.Failed != 0 {
			t.Errorf("%s: status %d, %+v", bad, status, s)
		}
		if !strings.Contains(stderr, "selvedge: publish: line 5: ") || !strings.Contains(stderr, want) {
			t.Errorf("%s: %q", bad, stderr)
		}
	}
}

func TestAStreamForOneChannel(t *testing.T) {
	c := newCore(t)
	status, stdout, stderr := run(t, strings.NewReader(`{"data":1}`+"\n"+`{"channel":"topic:b","data":2}`), "--dev", "--core", c.url, "--from", "me", "topic:a", "-")
	if s := summaryOf(t, stdout); status != 0 || s.Acknowledged != 2 {
		t.Fatalf("status %d, %+v, %q", status, s, stderr)
	}
	page, err := c.History(t.Context(), "topic:a", client.Span{})
	if err != nil || len(page.Frames) != 1 || !strings.Contains(page.Frames[0].String(), `"from":"me"`) {
		t.Errorf("%v, %v", page.Frames, err)
	}
}

// After a message fails, none of its channel follows; other channels go on.
func TestAFailedMessageHoldsItsChannel(t *testing.T) {
	c := newCore(t)
	in := `{"channel":"topic:a","data":1,"msg_id":"m"}
{"channel":"topic:a","data":2,"msg_id":"m"}
{"channel":"topic:a","data":3}
{"channel":"topic:b","data":4}
`
	status, stdout, stderr := run(t, strings.NewReader(in), "--dev", "--core", c.url, "-")
	if s := summaryOf(t, stdout); status != 1 || s.Acknowledged != 2 || s.Failed != 2 {
		t.Errorf("status %d, %+v", status, s)
	}
	if !strings.Contains(stderr, "line 2: msg_id was used before") || !strings.Contains(stderr, "line 3: not attempted") || !strings.Contains(stderr, "2 messages failed, 2 were acknowledged") {
		t.Errorf("%q", stderr)
	}
}

// The same across batches: what comes when the failure is known is held as well.
func TestAFailedMessageHoldsLaterBatches(t *testing.T) {
	c := newCore(t)
	in, out := io.Pipe()
	told := make(chan struct{})
	go func() {
		_, _ = io.WriteString(out, `{"channel":"topic:a","data":1,"msg_id":"m"}`+"\n"+`{"channel":"topic:a","data":2,"msg_id":"m"}`+"\n")
		<-told
		_, _ = io.WriteString(out, `{"channel":"topic:a","data":3}`+"\n")
		_ = out.Close()
	}()
	var stdout bytes.Buffer
	stderr := &watcher{text: "line 2", told: told}
	var cli struct {
		Publish client.PublishCommand `cmd:""`
	}
	status := config.Main(t.Context(), []string{"publish", "--dev", "--core", c.url, "-"}, config.IO{Stdin: in, Stdout: &stdout, Stderr: stderr}, &cli)
	if s := summaryOf(t, stdout.String()); status != 1 || s.Acknowledged != 1 || s.Failed != 2 {
		t.Errorf("status %d, %+v", status, s)
	}
}

// watcher closes told when it is written a text.
type watcher struct {
	text string
	told chan struct{}
	once sync.Once
}

func (w *watcher) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.text) {
		w.once.Do(func() { close(w.told) })
	}
	return len(b), nil
}

// A core that is gone ends the command, even if standard input has no end.
func TestACoreThatIsGoneEndsTheStream(t *testing.T) {
	cl, _ := flaky(t, 1000, unavailable, "")
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	go func() { _, _ = io.WriteString(out, lines(3, 3)) }()
	status, stdout, stderr := run(t, in, "--key", "k", "--core", cl.BaseURL, "-")
	if s := summaryOf(t, stdout); status != 1 || s.Acknowledged != 0 || s.Failed == 0 || !strings.Contains(stderr, "full") {
		t.Errorf("status %d, %+v, %q", status, s, stderr)
	}
}

func BenchmarkPublishStream(b *testing.B) {
	c := newCore(b)
	in := lines(50_000, 200)
	for b.Loop() {
		status, stdout, _ := run(b, strings.NewReader(in), "--dev", "--core", c.url, "-")
		s := summaryOf(b, stdout)
		if status != 0 || s.Acknowledged != 50_000 {
			b.Fatal(stdout)
		}
		b.ReportMetric(s.PerSecond, "acknowledged/s")
	}
	b.StopTimer()
	http.DefaultClient.CloseIdleConnections()
}
