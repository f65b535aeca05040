package log_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// A copy that stands still takes questions and says nothing. Another one is asked
// then, before anybody loses patience.
func TestReadsThatNobodyAnswersAreAskedAgain(t *testing.T) {
	t.Parallel()
	url := startNATS(t, t.TempDir())
	s := open(t, external(t.TempDir(), url))
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else answers for log 1, but not at once.
	if err := js.DeleteStream(t.Context(), "frames-01"); err != nil {
		t.Fatal(err)
	}
	asked := make(chan *nats.Msg, 100)
	if _, err := nc.ChanSubscribe("$JS.API.DIRECT.GET.frames-01", asked); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	type result struct {
		frames []corelog.Stored
		err    error
	}
	read := func(after wire.Seq) <-chan result {
		done := make(chan result, 1)
		go func() {
			frames, err := s.Read(t.Context(), 1, after, 1000)
			done <- result{frames, err}
		}()
		return done
	}
	question := func(after wire.Seq) *nats.Msg {
		t.Helper()
		for {
			select {
			case m := <-asked:
				if strings.Contains(string(m.Data), fmt.Sprintf(`"seq":%d,`, after+1)) { // else it is an older one's
					return m
				}
			case <-time.After(limit):
				t.Fatal("nobody is asked")
			}
		}
	}
	say := func(to *nats.Msg, header nats.Header, data string) {
		t.Helper()
		if err := nc.PublishMsg(&nats.Msg{Subject: to.Reply, Header: header, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	record := func(seq string) nats.Header { return nats.Header{"Nats-Sequence": {seq}} }
	end := nats.Header{"Status": {"204"}}

	done := read(10)
	first, second := question(10), question(10)
	say(second, record("11"), "x")
	say(second, end, "")
	if got := <-done; got.err != nil || len(got.frames) != 1 || got.frames[0].Seq != 11 || string(got.frames[0].Body) != "x" {
		t.Errorf("read %+v, %v", got.frames, got.err)
	}
	say(first, record("11"), "late") // is nobody's

	// One of them says that it can't: the other is waited for.
	done = read(100)
	first, second = question(100), question(100)
	say(second, nats.Header{"Status": {"408"}}, "")
	say(first, record("101"), "x")
	say(first, end, "")
	if got := <-done; got.err != nil || len(got.frames) != 1 || string(got.frames[0].Body) != "x" {
		t.Errorf("read %+v, %v", got.frames, got.err)
	}

	// If nobody can, that is the answer.
	done = read(1000)
	say(question(1000), nats.Header{"Status": {"408"}}, "")
	if got := <-done; !errors.Is(got.err, corelog.ErrUnavailable) {
		t.Errorf("read %+v, %v", got.frames, got.err)
	}
}
