package link

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
	"selvedge/wire/tail"
)

func TestMessageRoundTripAndEveryTruncation(t *testing.T) {
	want := message{
		T: tInterest, P: wire.StateLog, ID: 1 << 60, After: Live, Add: []wire.Key{1, 1 << 63}, Del: []wire.Key{2},
		Sent: -1, Status: &Status{Sockets: 7, DelayMillis: 0.5},
	}
	b, err := encodeMessage(want)
	if err != nil {
		t.Fatal(err)
	}
	var got message
	if err := readMessage(bytes.NewReader(b), &got, maxControl); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for n := range len(b) {
		if err := readMessage(bytes.NewReader(b[:n]), &got, maxControl); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("of %d bytes: %v", n, err)
		}
	}
	if err := readMessage(bytes.NewReader(b), &got, len(b)-5); !errors.Is(err, ErrProtocol) {
		t.Errorf("above the limit: %v", err)
	}
}

// An answer is read into the space that is there for it, if it fits.
func TestAnswersLieInTheSpaceGiven(t *testing.T) {
	want := wire.Answer{Epoch: "e", Hellos: wire.Data("\x94\x90\x90\x90\x90")}
	b, err := encodeMessage(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, len(b) - 5, len(b) - 4, len(b) + 100} {
		space := make([]byte, size)
		a, err := readAnswer(bytes.NewReader(b), &wire.Query{T: wire.QHello, Space: func(int) []byte { return space[:size/2] }})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, a); diff != "" {
			t.Errorf("%d bytes of space (-want +got):\n%s", size, diff)
		}
		fits := size >= len(b)-4
		if in := bytes.Contains(space, want.Hellos); in != fits {
			t.Errorf("%d bytes of space for %d: used %v", size, len(b)-4, in)
		}
		if in := fits && &a.Hellos[len(a.Hellos)-1] == &space[len(b)-5]; in != fits {
			t.Errorf("%d bytes of space: the hellos do not lie in it", size)
		}
	}
}

// An edge with a million users names two million interests of the state log
// when it links again.
func TestTwoMillionInterestsFitOneMessage(t *testing.T) {
	keys := make([]wire.Key, 100_000) // a twentieth
	for i := range keys {
		keys[i] = 1<<63 + wire.Key(i)
	}
	b, err := encodeMessage(message{T: tOpen, Add: keys})
	if err != nil {
		t.Fatal(err)
	}
	var got message
	if err := readMessage(bytes.NewReader(b), &got, maxControl/20); err != nil || !slices.Equal(got.Add, keys) {
		t.Errorf("read %d keys, %v", len(got.Add), err)
	}
}

func TestRecordsRoundTripAndEveryTruncation(t *testing.T) {
	marker := Marker{ID: 300, Seq: 1 << 40, Moved: []wire.Key{0, 1 << 63}}
	b := appendRecord(nil, tail.Frame, bytes.Repeat([]byte{7}, 200))
	first := len(b)
	b = appendGap(appendMarker(b, marker), 900, marker.Moved)
	r := bufio.NewReader(bytes.NewReader(b))
	kind, body, err := readRecord(r)
	if kind != tail.Frame || len(body) != 200 || err != nil {
		t.Errorf("kind %d, %d bytes, %v", kind, len(body), err)
	}
	kind, body, err = readRecord(r)
	if err != nil || kind != kindMarker {
		t.Fatalf("kind %d, %v", kind, err)
	}
	got, err := parseMarker(body)
	if diff := cmp.Diff(marker, got); diff != "" || err != nil {
		t.Errorf("%v (-written +read):\n%s", err, diff)
	}
	for n := range body {
		if _, err := parseMarker(body[:n]); err == nil && (len(body)-n)%8 != 0 {
			t.Errorf("a marker of %d bytes is taken", n)
		}
	}
	for n := range first {
		if _, _, err := readRecord(bufio.NewReader(bytes.NewReader(b[:n]))); err == nil {
			t.Errorf("a record of %d bytes of %d is taken", n, first)
		}
	}
}

// A claimed size costs memory only as its bytes arrive.
func TestClaimsAreNotBelieved(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		var m message
		if err := readMessage(bytes.NewReader([]byte{3, 0, 0, 0, 1}), &m, maxControl); err == nil {
			t.Fatal("read a message that is not there")
		}
		if _, _, err := readRecord(bufio.NewReader(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0x1f, 1}))); err == nil {
			t.Fatal("read a record that is not there")
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 200; got > 2*believed {
		t.Errorf("%d bytes for a claim", got)
	}
}

func FuzzReadMessage(f *testing.F) {
	hello, err := encodeMessage(message{T: tHello, Version: version, Node: "n", Add: []wire.Key{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Add([]byte{0, 0, 0, 5, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 9, 0x81, 0xa3, 'a', 'd', 'd', 0xdd, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message
		if err := readMessage(bytes.NewReader(b), &m, maxControl); err != nil {
			return
		}
		again, err := encodeMessage(m)
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		var twin message
		if err := readMessage(bytes.NewReader(again), &twin, maxControl); err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	f.Add(appendRecord(nil, tail.Frame, []byte("frame")))
	f.Add(appendMarker(nil, Marker{ID: 1, Seq: 2, Moved: []wire.Key{3}}))
	f.Add(appendGap(nil, 7, []wire.Key{8}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			kind, body, err := readRecord(r)
			if err != nil {
				return
			}
			if len(body) >= len(b) {
				t.Fatalf("a record of %d bytes out of %d", len(body), len(b))
			}
			m, err := parseMarker(body)
			if err != nil || kind != kindMarker {
				continue
			}
			kind, body, err = readRecord(bufio.NewReader(bytes.NewReader(appendMarker(nil, m))))
			if twin, perr := parseMarker(body); kind != kindMarker || err != nil || perr != nil || !cmp.Equal(m, twin) {
				t.Fatalf("marker %+v comes back as %+v: %v, %v", m, twin, err, perr)
			}
		}
	})
}
