package link_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"selvedge/wire"
	"selvedge/wire/link"
)

func TestQueryRoundTrip(t *testing.T) {
	src := memory()
	large := append([]byte{0xdb, 0, 0x50, 0, 0}, bytes.Repeat([]byte{'x'}, 5<<20)...) // a string
	src.Ask = func(_ context.Context, node string, q *wire.Query, applied wire.Seq) *wire.Answer {
		if q.T == "?" {
			return &wire.Answer{Err: &wire.Error{Code: wire.BadRequest, Message: "what?"}}
		}
		if node != "e" || q.T != wire.QRoom || q.Room != "r" || applied != 0 {
			t.Errorf("%s asks %+v, applied %d", node, q, applied)
		}
		return &wire.Answer{V: 7, Frames: []wire.Data{large}}
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	a, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom, Room: "r"})
	if err != nil || a.V != 7 || len(a.Frames) != 1 || !bytes.Equal(a.Frames[0], large) {
		t.Errorf("the answer of 5 MiB did not come: %v", err)
	}
	a, err = d.Query(t.Context(), &wire.Query{T: "?"})
	if err != nil || a.Err == nil || a.Err.Message != "what?" {
		t.Errorf("answer %+v, %v; want the source's error", a, err)
	}
}

// Hellos come as they were sent: nothing between decodes them.
func TestQueryBringsHellos(t *testing.T) {
	src := memory()
	hellos := []wire.Hello{{User: wire.AppendUserInfo(nil, &wire.UserInfo{ID: "u", Data: wire.Data{0x80}}), RoomsV: 4}}
	sent, err := wire.AppendHellos(nil, hellos)
	if err != nil {
		t.Fatal(err)
	}
	src.Ask = func(context.Context, string, *wire.Query, wire.Seq) *wire.Answer {
		return &wire.Answer{V: 7, Epoch: "e", Hellos: sent}
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	a, err := d.Query(t.Context(), &wire.Query{T: wire.QHello, Users: []wire.UserID{"u"}})
	if err != nil || a.V != 7 || a.Epoch != "e" || !bytes.Equal(a.Hellos, sent) {
		t.Errorf("the answer is %+v, %v", a, err)
	}
}

// Who gives up asking ends the work for it.
func TestQueryCanceledByTheAskerEndsAtTheSource(t *testing.T) {
	src := memory()
	asked, ended := make(chan struct{}), make(chan struct{})
	src.Ask = func(ctx context.Context, _ string, _ *wire.Query, _ wire.Seq) *wire.Answer {
		close(asked)
		<-ctx.Done()
		close(ended)
		return &wire.Answer{}
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := d.Query(ctx, &wire.Query{T: wire.QRoom})
		got <- err
	}()
	receive(t, "the question", asked)
	cancel()
	if err := receive(t, "the asker", got); !errors.Is(err, context.Canceled) {
		t.Errorf("the asker got %v, want %v", err, context.Canceled)
	}
	receive(t, "the end of the work", ended)
}

// A query that names a delta is answered after its marker, and told where that
// is (rule 8).
func TestQueryWaitsForItsMarker(t *testing.T) {
	src := memory()
	applied := make(chan wire.Seq, 2)
	src.Ask = func(_ context.Context, _ string, _ *wire.Query, a wire.Seq) *wire.Answer {
		applied <- a
		return &wire.Answer{}
	}
	ch := channels(1, 1)[0]
	src.Publish(ch, 10)
	d := dial(t, serve(t, src, udp(t)), "e")
	done := make(chan error, 1)
	go func() {
		_, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom, P: 1, Marker: 5})
		done <- err
	}()
	// A query that names no delta overtakes it.
	if _, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "the free query", applied); got != 0 {
		t.Errorf("the free query has position %d", got)
	}
	d.open(1, 0) // a query may overtake even that
	src.Publish(ch, 10)
	eventually(t, "the log's reader is at its end", func() bool { m, _ := d.change(1, 4, nil, nil, link.Live); return m.Seq == 2 })
	select {
	case err := <-done:
		t.Fatalf("answered before its delta was sent: %v", err)
	default:
	}
	d.change(1, 5, keysOf(ch), nil, 0)
	if got := receive(t, "the query", applied); got != 2 {
		t.Errorf("the query has position %d, want the marker's 2", got)
	}
	if err := receive(t, "the answer", done); err != nil {
		t.Error(err)
	}
	a, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom, P: 2, Marker: 5})
	if err != nil || a.Err == nil || a.Err.Code != wire.BadRequest {
		t.Errorf("a query naming a log that is not there: %+v, %v", a, err)
	}
}

// An answer that can't be sent fails for its asker, and for nobody else.
func TestUnsendableAnswer(t *testing.T) {
	src := memory()
	src.Ask = func(_ context.Context, _ string, q *wire.Query, _ wire.Seq) *wire.Answer {
		if q.Limit == 1 {
			return &wire.Answer{Frames: []wire.Data{make([]byte, 65<<20)}}
		}
		return &wire.Answer{V: 1}
	}
	d := dial(t, serve(t, src, udp(t)), "e")
	if _, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom, Limit: 1}); err == nil {
		t.Error("an answer beyond all limits came")
	}
	if a, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom}); err != nil || a.V != 1 {
		t.Errorf("then: %+v, %v", a, err)
	}
}
