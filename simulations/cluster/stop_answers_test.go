package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/wire"
)

// rawSocket is a client that hides nothing: each message, and how the edge ends it.
type rawSocket struct {
	conn net.Conn
	msgs chan map[string]any // never closed
	end  chan error          // gets one
}

func dialRaw(t *testing.T, user, edge string) *rawSocket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := ws.Dialer{Protocols: []string{wire.JSON.Subprotocol()}}
	conn, _, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(edge, "http")+"/v1/socket")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawSocket{conn: conn, msgs: make(chan map[string]any, 1000), end: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			b, err := wsutil.ReadServerText(conn)
			if err != nil {
				s.end <- err
				return
			}
			m := map[string]any{}
			if err := json.Unmarshal(b, &m); err != nil {
				t.Error(err)
			}
			s.msgs <- m
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	s.send(t, `{"t":"hello","token":"`+token(t, user)+`"}`)
	s.await(t, wire.TWelcome)
	return s
}

func (s *rawSocket) send(t *testing.T, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(s.conn, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// await is the next message of a type.
func (s *rawSocket) await(t *testing.T, kind string) map[string]any {
	t.Helper()
	for {
		if m := next(t, kind, s.msgs); m["t"] == kind {
			return m
		}
	}
}

// goroutines is how many a node has.
func goroutines(t *testing.T, n *fleet.Node) (total int) {
	t.Helper()
	res, err := http.Get(n.Admin + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := fmt.Fscanf(res.Body, "goroutine profile: total %d", &total); err != nil {
		t.Fatal(err)
	}
	return total
}

// What clients have asked when an edge goes, with nobody to send them to, is answered
// before their sockets are closed, however long the core takes (within reason). The
// core is paused here, until the edge hears nothing more.
func TestStoppedEdgeAnswersFirst(t *testing.T) {
	f := startFleet(t, "eu-west")
	stops := f.Edges[0]
	topic := func(i int) wire.Channel { return wire.Channel(fmt.Sprint("topic:t", i)) }
	var all []*rawSocket
	for range publishers {
		all = append(all, dialRaw(t, "u1", stops.URL))
	}
	probe := dialRaw(t, "u1", stops.URL)
	before := goroutines(t, stops)
	if err := f.Core.Pause(); err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		s.send(t, fmt.Sprintf(`{"t":"publish","id":7,"ch":%q,"data":{"n":0}}`, topic(i)))
	}
	for deadline := time.Now().Add(patience); goroutines(t, stops) < before+publishers; { // one waits for each answer
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before: the edge does not wait for %d answers", goroutines(t, stops), before, publishers)
		}
	}
	signalTo(t, stops)
	for deaf := false; !deaf; {
		probe.send(t, `{"t":"ping"}`)
		select {
		case <-probe.msgs:
		case <-time.After(200 * time.Millisecond):
			deaf = true
		}
	}
	for _, s := range all {
		if len(s.msgs)+len(s.end) > 0 {
			t.Fatal("an answer came while the core was paused")
		}
	}
	if err := f.Core.Continue(); err != nil {
		t.Fatal(err)
	}
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	for i, s := range all {
		closed, ok := errors.AsType[wsutil.ClosedError](next(t, "end of a socket", s.end))
		if !ok || closed.Code != ws.StatusGoingAway {
			t.Errorf("socket %d ended with %v", i, closed)
		}
		reply := s.await(t, wire.TReply) // it is there already
		page, err := api.History(t.Context(), topic(i), backend.Span{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Frames) != 1 || reply["id"] != 7.0 || reply["seq"] == nil {
			t.Errorf("%s has %d frames, its publish was answered with %v", topic(i), len(page.Frames), reply)
		}
	}
	next(t, "end of the edge", stops.Done())
	if err := stops.Stop(); err != nil {
		t.Errorf("the edge ended with %v", err)
	}
}
