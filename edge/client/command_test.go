package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// realEdge serves one fake edge on loopback; the command dials by itself.
func realEdge(t *testing.T) (*fakeEdge, string) {
	t.Helper()
	e := &fakeEdge{id: "edge-1", network: new(network), conns: make(chan *fakeConn, 8)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/socket", e.socket)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return e, server.URL
}

// execute runs the binary's parser with the one command.
func execute(ctx context.Context, b *buffers, args ...string) int {
	var cli struct {
		Listen ListenCommand `cmd:"" help:"Listen."`
	}
	return config.Main(ctx, append([]string{"listen"}, args...), *b.io(), &cli)
}

func accept(t *testing.T, e *fakeEdge) *fakeConn {
	t.Helper()
	select {
	case c := <-e.conns:
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("no client came")
		return nil
	}
}

func TestListenPrintsFrames(t *testing.T) {
	for _, codec := range []string{"msgpack", "json"} {
		t.Run(codec, func(t *testing.T) {
			e, url := realEdge(t)
			var b buffers
			status := make(chan int, 1)
			go func() {
				status <- execute(t.Context(), &b, "--dev", "--user=u1", "--edge="+url, "--codec="+codec, "--count=2", "room:a", "topic:x")
			}()
			c := accept(t, e)
			hello := c.welcome(t, 10)
			verifier, err := identity.NewVerifier(identity.DevTokens())
			if err != nil {
				t.Fatal(err)
			}
			claims, err := verifier.Verify(t.Context(), hello.Token)
			if err != nil || claims.User != "u1" || !claims.MaySubscribe("topic:x") || !cmp.Equal(hello.Topics, []wire.Channel{"topic:x"}) {
				t.Errorf("hello %+v: claims %+v, %v", hello, claims, err)
			}
			c.message(t, chA, 11, 0)
			c.message(t, chB, 12, 0) // was not asked for
			_ = c.Close()
			c = accept(t, e)
			c.welcome(t, 0)
			c.message(t, chB, 12, 0)
			c.message(t, "topic:x", 13, 0)
			c.message(t, chA, 14, 11) // more than --count
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			if got := <-status; got != 0 {
				t.Errorf("status %d", got)
			}
			stdout, stderr := b.text()
			want := `{"t":"message","ch":"room:a","p":0,"seq":11,"prev":0,"ts":1,"from":"u2","data":{"text":"<11>"}}
{"t":"message","ch":"topic:x","p":0,"seq":13,"prev":0,"ts":1,"from":"u2","data":{"text":"<13>"}}
`
			if diff := cmp.Diff(want, stdout); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			for _, want := range []string{
				"listen: connected to edge-1 (eu-west)\n", "listen: lost edge-1: ", "listen: connected to edge-1 (eu-west), resumed\n",
			} {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestListenAll(t *testing.T) {
	e, url := realEdge(t)
	var b buffers
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() { status <- execute(ctx, &b, "--token=x", "--edge="+url, "--all", "--focus=a", "--focus=room:b") }()
	c := accept(t, e)
	if hello := c.welcome(t, 10); hello.Focus.String() != `["a","b"]` {
		t.Errorf("hello has the focus %s", hello.Focus)
	}
	c.send(t, &wire.Joined{T: wire.TJoined, Ch: chA, From: 10, V: 2})
	c.send(t, &wire.Live{T: wire.TLive, Ch: chA, Seq: 10})
	c.message(t, chA, 11, 10)
	c.send(t, map[string]any{"t": "from-the-future"})
	c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u2", V: 1, Data: text("")})
	c.send(t, &wire.Activity{T: wire.TActivity, Ch: "room:c", Seq: 12})
	c.send(t, &wire.Signal{T: wire.TSignal, Ch: chA, Data: text("")})
	// The answer to a ping says that all before it was applied.
	if err := wsPing(c); err != nil {
		t.Fatal(err)
	}
	c.expect(t, "ws:pong")
	cancel()
	c.expect(t, "ws:close")
	_ = c.Close()
	if got := <-status; got != 0 {
		t.Errorf("status %d of an interrupt", got)
	}
	stdout, _ := b.text()
	var kinds []string
	for line := range strings.Lines(stdout) {
		var m struct {
			T string `json:"t"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		kinds = append(kinds, m.T)
	}
	if diff := cmp.Diff([]string{"welcome", "joined", "live", "message", "from-the-future", "object", "activity", "signal"}, kinds); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestListenRefused(t *testing.T) {
	e, url := realEdge(t)
	var b buffers
	status := make(chan int, 1)
	go func() { status <- execute(t.Context(), &b, "--token=x", "--edge="+url) }()
	c := accept(t, e)
	c.expect(t, wire.THello)
	c.bye(t, wire.CloseUnauthorized, "token malformed")
	if got := <-status; got != 1 {
		t.Errorf("status %d", got)
	}
	if _, stderr := b.text(); stderr != "selvedge: the edge refused the token: token malformed (4001): get another one, signed with a key that the edge knows\n" {
		t.Errorf("stderr %q", stderr)
	}
}

func TestListenKeepsTrying(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close() // nobody listens there
	var b buffers
	if got := execute(t.Context(), &b, "--dev", "--user=u1", "--edge="+url, "--for=300ms"); got != 0 {
		t.Errorf("status %d", got)
	}
	stdout, stderr := b.text()
	if stdout != "" || strings.Count(stderr, "can't connect to "+url) != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

func TestListenNotesEveryTenthAttempt(t *testing.T) {
	var b buffers
	l := &listener{command: &ListenCommand{}, io: b.io(), stop: func(error) {}}
	for i := range 25 {
		l.state(State{Kind: Waiting, URL: "http://x", Err: errors.New("refused"), Attempt: i + 1})
	}
	_, stderr := b.text()
	want := ""
	for _, i := range []int{1, 10, 20} {
		want += fmt.Sprintf("listen: can't connect to http://x: refused; trying on (attempt %d)\n", i)
	}
	if diff := cmp.Diff(want, stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestListenUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"no token: give --token":              {},
		"--dev needs --user":                  {"--dev"},
		"exclude each other":                  {"--dev", "--user=u1", "--token=x"},
		"--user u1 goes with --dev":           {"--user=u1", "--token=x"},
		`bad channel "nonsense"`:              {"--token=x", "nonsense"},
		`edge "host:7410"`:                    {"--token=x", "--edge=host:7410"},
		"must be positive":                    {"--token=x", "--count=-1"},
		`--codec must be one of "msgpack"`:    {"--token=x", "--codec=xml"},
		"--user: bad id: \"u*\" must not end": {"--dev", "--user=u*"},
		"unknown flag --bogus":                {"--token=x", "--bogus"},
	} {
		var b buffers
		got := execute(t.Context(), &b, args...)
		if _, stderr := b.text(); got != 2 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: status %d, stderr %q; want %q", args, got, stderr, want)
		}
	}
}
