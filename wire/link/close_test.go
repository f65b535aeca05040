package link_test

import (
	"context"
	"errors"
	"testing"

	"selvedge/wire"
	"selvedge/wire/link"
)

// A log is closed whatever its receiver is doing: CloseLog returns after its
// last call, and what is wanted of the log is not sent any more.
func TestCloseLogWaitsForTheReceiversLastCall(t *testing.T) {
	src := memory()
	d, err := dialer{pc: udp(t), name: "e", steps: true}.dial(t, serve(t, src, udp(t)).addr)
	if err != nil {
		t.Fatal(err)
	}
	ch := channels(0, 1)[0]
	src.Publish(ch, 10)
	d.open(0, 0, keysOf(ch)...)
	receive(t, "the receiver's turn", d.in)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan struct{})
	go func() {
		d.CloseLog(now, 0)
		close(closed)
	}()
	eventually(t, "the log is closing", func() bool {
		return errors.Is(d.Interest(t.Context(), 0, 1, nil, nil, link.Live), link.ErrLogClosed)
	})
	if err := d.Open(t.Context(), 0, 0, 2, nil); err == nil {
		t.Error("a log was opened that is still with its receiver")
	}
	select {
	case <-closed:
		t.Error("closed while the receiver was busy with it")
	default:
	}
	d.out <- struct{}{}
	receive(t, "the end of the log", closed)
	d.seqs(0, 1)
	d.open(0, 1, keysOf(ch)...)
	src.Publish(ch, 10)
	receive(t, "the receiver's turn", d.in)
	d.out <- struct{}{}
	if got := d.seqs(0, 1); got[0] != 2 {
		t.Errorf("opened again, it brings %d, want 2", got[0])
	}
}

func TestAnOpenLogCantBeOpened(t *testing.T) {
	d := dial(t, serve(t, memory(), udp(t)), "e")
	d.open(0, 0)
	if err := d.Open(t.Context(), 0, 0, 0, nil); err == nil {
		t.Error("it was")
	}
	d.CloseLog(t.Context(), 1) // was never open
	if err := d.Interest(t.Context(), 1, 1, nil, nil, 0); !errors.Is(err, link.ErrLogClosed) {
		t.Errorf("interest in a log that is not open: %v", err)
	}
	if m, _ := d.change(0, 1, nil, nil, link.Live); m.ID != 1 {
		t.Errorf("marker %d", m.ID)
	}
}

// Closing does not hold up who closes after the link is gone.
func TestCloseLogAfterTheLink(t *testing.T) {
	s := serve(t, memory(), udp(t))
	d := dial(t, s, "e")
	d.open(0, 0)
	d.change(0, 1, nil, nil, link.Live)
	s.stop()
	_ = d.wait()
	d.CloseLog(t.Context(), 0)
}

// looked is a source that tells when somebody looks whether there is a log.
type looked struct {
	link.Source
	at chan struct{}
}

func (l looked) Logs() int {
	select {
	case l.at <- struct{}{}:
	default:
	}
	return l.Source.Logs()
}

// The upstream forgets a log that was closed: its interests, and the questions that
// wait for its markers.
func TestAClosedLogIsForgotten(t *testing.T) {
	src := looked{memory(), make(chan struct{}, 1)}
	s := serve(t, src, udp(t))
	d := dial(t, s, "e")
	ch := channels(0, 1)[0]
	d.open(0, 0, keysOf(ch)...)
	d.open(1, 0)
	d.change(0, 1, nil, nil, link.Live)
	eventually(t, "both are open", func() bool { p := s.Peers(); return len(p) == 1 && p[0].Logs == 2 && p[0].Interests == 1 })
	for len(src.at) > 0 {
		<-src.at
	}
	asked := make(chan *wire.Answer, 1)
	go func() {
		a, err := d.Query(t.Context(), &wire.Query{T: wire.QRoom, P: 0, Marker: 7})
		if err != nil {
			t.Error(err)
		}
		asked <- a
	}()
	receive(t, "the question", src.at)
	d.CloseLog(t.Context(), 0)
	eventually(t, "one is", func() bool { p := s.Peers(); return p[0].Logs == 1 && p[0].Interests == 0 })
	d.open(0, 0)
	d.change(0, 8, nil, nil, link.Live) // for a question that came after the close
	a := receive(t, "the answer", asked)
	if a.Err == nil || a.Err.Code != wire.Unavailable && a.Err.Code != wire.BadRequest {
		t.Errorf("the question of a closed log is answered by %+v", a)
	}
}

// A downstream that gives up a stream without a word ends its feed, not its link.
func TestAStreamThatIsGivenUpEndsItsFeedOnly(t *testing.T) {
	src := memory()
	s := serve(t, src, udp(t))
	d := dial(t, s, "e")
	ch, other := channels(0, 1)[0], channels(1, 1)[0]
	d.open(0, 0, keysOf(ch)...)
	d.open(1, 0, keysOf(other)...)
	src.Publish(ch, 10)
	d.seqs(0, 1)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 50 { // the reset and the message travel apart, in any order
		d.CloseLog(now, 0)
		d.open(0, wire.Seq(i+1), keysOf(ch)...)
		src.Publish(ch, 10)
		if got := d.seqs(0, 1); got[0] != wire.Seq(i+2) {
			t.Fatalf("opened again, it brings %d, want %d", got[0], i+2)
		}
	}
	src.Publish(other, 10)
	if got := d.seqs(1, 1); got[0] != 1 {
		t.Errorf("the other log brings %d", got[0])
	}
}

// A downstream that opens and closes without reading is not fed without bound.
func TestStreamsThatAreNotReadAreBounded(t *testing.T) {
	src := memory()
	ch := channels(0, 1)[0]
	for range 80 {
		src.Publish(ch, 60_000)
	}
	s := serve(t, src, udp(t))
	conn := raw(t, s.addr)
	st, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := message(t, goodHello)
	for range 100 {
		b = append(b, message(t, map[string]any{"t": "open", "add": keysOf(ch)})...)
		b = append(b, message(t, map[string]any{"t": "close"})...)
	}
	if _, err := st.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "the end of the link", s.down); !errors.Is(err, link.ErrProtocol) {
		t.Errorf("it ended with %v", err)
	}
}
