package log_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// An append that waits for a leader which doesn't answer is given up when its log
// gets another one, however long it waits then, and only then.
func TestAppendsAreGivenUpWhenAnotherLeads(t *testing.T) {
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
	// Somebody takes the appends of log 1 and says nothing, as a leader that is stopped.
	ch := wire.Channel("room:a")
	for n := 'b'; wire.LogOf(ch, s.Logs()) != 1; n++ {
		ch = wire.Channel("room:" + string(n))
	}
	if err := js.DeleteStream(t.Context(), "frames-01"); err != nil {
		t.Fatal(err)
	}
	taken := make(chan *nats.Msg, 10)
	if _, err := nc.ChanSubscribe("f.1.*", taken); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	elected := func(streams ...string) {
		t.Helper()
		for _, stream := range streams {
			if err := nc.Publish("$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."+stream, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	given := func() <-chan error {
		out := make(chan error, 1)
		go func() {
			_, err := s.Publish(t.Context(), "key", post(ch, "x"))
			out <- err
		}()
		select {
		case <-taken:
		case <-time.After(limit):
			t.Fatal("the append is not sent")
		}
		return out
	}

	old := given()
	later := time.NewTimer(2 * corelog.ElectedGrace)
	defer later.Stop()
	<-later.C
	elected("frames-01")
	if err := <-old; !errors.Is(err, corelog.ErrElected) || !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("an append from before: %v", err)
	}

	old = given() // a moment before
	elected("frames-01")
	if err := <-old; !errors.Is(err, corelog.ErrElected) {
		t.Errorf("an append from a moment before: %v", err)
	}

	old = given()
	later.Reset(2 * corelog.ElectedGrace)
	<-later.C
	elected("frames-00", "frames-02", "state", "frames-1x", "others", "frames-999999")
	if err := <-old; errors.Is(err, corelog.ErrElected) || !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("an append to a log that nobody else leads: %v", err)
	}
}
