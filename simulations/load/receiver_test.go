package load

import (
	"bytes"
	"strings"
	"testing"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// testChannel is what the packets of these tests are of.
const testChannel = wire.Channel("room:bench")

func testPacket(t testing.TB, n int, seq wire.Seq) []byte {
	t.Helper()
	p, err := packet(Texts{Seed: 1, Size: 200}, testChannel, n, seq, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testWelcome(t testing.TB) []byte {
	t.Helper()
	w, err := welcome(100)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// testReceiver is a socket whose request is on its way, and its page.
func testReceiver(t testing.TB) (*receiver, *checker) {
	t.Helper()
	g := &group{}
	g.begin(1)
	r, err := newReceiver(g, "token")
	if err != nil {
		t.Fatal(err)
	}
	return r, newBook().checker()
}

// run feeds b in pieces as a socket does, and returns what was said.
func run(r *receiver, c *checker, b []byte, size int) (said []byte, err error) {
	for len(b) > 0 {
		n := min(size, len(b))
		whole := append(bytes.Clone(r.partial), b[:n]...)
		b = b[n:]
		reply, used, err := r.feed(c, whole)
		if err != nil {
			return said, err
		}
		said = append(said, reply...)
		r.rest(whole[used:])
	}
	return said, nil
}

func TestSessionInPiecesOfAnySize(t *testing.T) {
	var stream []byte
	stream = append(append(stream, answer()...), testWelcome(t)...)
	const messages = 3
	for n := range messages {
		stream = append(stream, testPacket(t, n, wire.Seq(10+n))...)
	}
	stream = append(stream, websocket.Ping([]byte("p"))...)
	for size := 1; size <= len(stream); size++ {
		r, c := testReceiver(t)
		hello := bytes.Clone(r.hello)
		said, err := run(r, c, stream, size)
		if err != nil {
			t.Fatalf("pieces of %d: %v", size, err)
		}
		s := r.group.stats()
		if s.Fault() != "" || s.Frames != messages || s.Pings != 1 || s.Open != 1 || r.group.left.Load() != 0 {
			t.Fatalf("pieces of %d: %+v", size, s)
		}
		pong := websocket.AppendMasked(nil, websocket.OpPong, []byte("p"), [4]byte{})
		if !bytes.HasPrefix(said, hello) || len(said) != len(hello)+len(pong) || said[len(hello)] != pong[0] {
			t.Fatalf("pieces of %d: said %x", size, said)
		}
	}
}

func TestWhatIsWrongIsNoticed(t *testing.T) {
	damaged := testPacket(t, 2, 12)
	damaged[len(damaged)-10] ^= 1
	text := testPacket(t, 2, 12)
	text[0] = wholeText
	fragment := testPacket(t, 2, 12)
	fragment[0] = 0x02
	gap := testFrame(t, wire.Gap{T: wire.TGap, Ch: testChannel, From: 1, To: 2})
	tests := []struct {
		name  string
		bytes []byte
		end   bool // of the socket
		want  func(s Stats) bool
	}{
		{"nothing", nil, false, func(s Stats) bool { return s.Fault() == "" && s.Frames == 2 }},
		{"damaged", damaged, true, func(s Stats) bool { return s.Wrong == 1 }},
		{"text", text, true, func(s Stats) bool { return s.Wrong == 1 }},
		{"fragment", fragment, true, func(s Stats) bool { return s.Wrong == 1 }},
		{"gap", gap, true, func(s Stats) bool { return s.Wrong == 1 }},
		{"masked", websocket.AppendMasked(nil, websocket.OpBinary, []byte{1}, [4]byte{}), true, func(s Stats) bool { return s.Wrong == 1 }},
		{"twice", testPacket(t, 1, 11), false, func(s Stats) bool { return s.Duplicated == 1 }},
		{"before", testPacket(t, 3, 5), false, func(s Stats) bool { return s.Duplicated == 1 }},
		{"hole", testPacket(t, 3, 13), false, func(s Stats) bool { return s.Lost == 1 }},
		{"close", websocket.Close(wire.CloseGoingAway, "bye"), true, func(s Stats) bool { return s.Closed == 1 && strings.Contains(s.Complaint, "1001 bye") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, c := testReceiver(t)
			stream := append(append(append(answer(), testWelcome(t)...), testPacket(t, 0, 10)...), testPacket(t, 1, 11)...)
			if _, err := run(r, c, stream, len(stream)); err != nil {
				t.Fatal(err)
			}
			_, err := run(r, c, tt.bytes, 1<<20)
			if (err != nil) != tt.end {
				t.Errorf("error %v, want one: %v", err, tt.end)
			}
			if err != nil {
				r.group.ended(r, err)
			}
			if s := r.group.stats(); !tt.want(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// testFrame is a server's message as a frame.
func testFrame(t testing.TB, m any) []byte {
	t.Helper()
	inner, err := wire.Msgpack.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return append(websocket.AppendHeader(nil, websocket.OpBinary, len(inner)), inner...)
}

// Documents and changes of rooms are no messages, and end no socket. In a room that
// was left and joined again, messages go on wherever it is then.
func TestWhatIsNotCounted(t *testing.T) {
	others := bytes.Join([][]byte{
		testFrame(t, wire.ObjectMoved{T: wire.TObject, Key: "u:1", V: 2}),
		testFrame(t, wire.Joined{T: wire.TJoined, Ch: "room:other", From: 1}),
		testFrame(t, wire.Left{T: wire.TLeft, Ch: "room:other", V: 2}),
	}, nil)
	start := append(append(answer(), testWelcome(t)...), testPacket(t, 0, 10)...)
	again := testPacket(t, 1, 20) // after 19, which did not come
	for _, tt := range []struct {
		name   string
		bytes  []byte
		others int64
		lost   int64
	}{
		{"other rooms", others, 3, 1},
		{"this one", append(others, testFrame(t, wire.Left{T: wire.TLeft, Ch: testChannel, V: 3})...), 4, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, c := testReceiver(t)
			if _, err := run(r, c, bytes.Join([][]byte{start, tt.bytes, again}, nil), 1<<20); err != nil {
				t.Fatal(err)
			}
			if s := r.group.stats(); s.Others != tt.others || s.Lost != tt.lost || s.Frames != 2 || s.Wrong+s.Closed != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n",
		strings.Replace(string(answer()), keyAnswer, "bm90IHRoZSBhbnN3ZXIgdG8ga2V5", 1),
		strings.Replace(string(answer()), "msgpack", "json", 1),
	} {
		r, c := testReceiver(t)
		if _, err := run(r, c, []byte(text), 1<<10); err == nil {
			t.Errorf("%q was taken for an upgrade", text)
		}
	}
	r, c := testReceiver(t)
	if _, err := run(r, c, append(answer(), testPacket(t, 0, 1)...), 1<<10); err == nil {
		t.Error("a message was taken for a welcome")
	}
}

// Whatever a server says, in whatever pieces: a client doesn't panic, and makes
// the same of it.
func FuzzReceiver(f *testing.F) {
	whole := append(append(answer(), testWelcome(f)...), testPacket(f, 0, 1)...)
	f.Add(whole, uint16(7))
	f.Add(whole[:len(whole)-3], uint16(100))
	f.Add(append(append(answer(), testWelcome(f)...), websocket.Close(1000, "")...), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		r, c := testReceiver(t)
		_, err := run(r, c, b, max(len(b), 1))
		q, c := testReceiver(t)
		_, inPieces := run(q, c, b, max(int(size), 1))
		if (err == nil) != (inPieces == nil) || r.stage != q.stage || r.group.stats() != q.group.stats() {
			t.Errorf("in one piece: %v, %+v; in pieces of %d: %v, %+v", err, r.group.stats(), size, inPieces, q.group.stats())
		}
	})
}
