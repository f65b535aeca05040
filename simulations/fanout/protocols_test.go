package fanout

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// whole checks that next takes a message only when all of it is there.
func whole(t *testing.T, next nextOne, message []byte) (payload []byte) {
	t.Helper()
	for n := range message {
		if _, _, used, err := next(message[:n]); used != 0 || err != nil {
			t.Fatalf("of %q it takes %d bytes, %v", message[:n], used, err)
		}
	}
	payload, _, used, err := next(append(bytes.Clone(message), "tail"...))
	if used != len(message) || err != nil {
		t.Fatalf("of %q it takes %d bytes, %v", message, used, err)
	}
	return payload
}

// nextOne is redisMessage or socketMessage.
type nextOne func([]byte) (payload, reply []byte, used int, err error)

func TestWhatRedisSends(t *testing.T) {
	for text, want := range map[string]string{
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n": "hello",
		"*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n": "\r\n",
		"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n":        "",
		"*3\r\n$9\r\nsubscribe\r\n$-1\r\n:1\r\n":            "",
		"+OK\r\n":                                           "",
		":12\r\n":                                           "",
		"*-1\r\n":                                           "",
	} {
		if got := whole(t, redisMessage, []byte(text)); string(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	for _, text := range []string{"-ERR no\r\n", "hello\r\n", "*99\r\n", "$x\r\n", "$-2\r\n", "$2\r\nabc\r\n", "$9999999\r\n"} {
		if _, _, _, err := redisMessage([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if got := string(appendCommand(nil, "PUBLISH", "c", "")); got != "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$0\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

func TestWhatEdgesSend(t *testing.T) {
	for _, size := range []int{0, 125, 126, 70_000} {
		text := bytes.Repeat([]byte("x"), size)
		if got := whole(t, socketMessage, append(websocket.AppendHeader(nil, websocket.OpBinary, size), text...)); !bytes.Equal(got, text) {
			t.Errorf("%d bytes: %d came", size, len(got))
		}
	}
	_, reply, _, err := socketMessage(websocket.Ping([]byte("p")))
	if err != nil || len(reply) != 7 || reply[0] != 0x8a || reply[1] != 0x81 {
		t.Errorf("to a ping it says %x, %v", reply, err)
	}
	if _, _, _, err := socketMessage(websocket.Close(4000, "epoch")); !errors.Is(err, errClosed) || !strings.Contains(err.Error(), "epoch") {
		t.Errorf("a close: %v", err)
	}
	for _, b := range [][]byte{{0x82, 0x81, 0, 0, 0, 0, 0}, {0x02, 0}, {0xc2, 0}, {0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0}} {
		if _, _, _, err := socketMessage(b); err == nil {
			t.Errorf("%x is taken", b)
		}
	}
}

func TestGreetings(t *testing.T) {
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	if used, err := upgraded([]byte(answer + "more")); used != len(answer) || err != nil {
		t.Errorf("%d, %v", used, err)
	}
	if _, err := upgraded([]byte("HTTP/1.1 503 Service Unavailable\r\n\r\n")); err == nil {
		t.Error("a refusal passes")
	}
	say := func(m any) []byte {
		b, err := wire.Msgpack.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if ok, err := isWelcome(say(map[string]string{"t": "welcome"})); !ok || err != nil {
		t.Errorf("a welcome: %t, %v", ok, err)
	}
	if ok, err := isWelcome(say(map[string]string{"t": "cursor"})); ok || err != nil {
		t.Errorf("a cursor: %t, %v", ok, err)
	}
	if _, err := isWelcome(say(map[string]string{"t": "error", "message": "no"})); err == nil {
		t.Error("an error passes")
	}
	if _, err := isWelcome([]byte{0xc1}); err == nil {
		t.Error("nonsense passes")
	}
}

// Whatever comes, nothing beyond it is used, and there is progress or none.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"))
	f.Add([]byte("*-1\r\n"))
	f.Add(websocket.Ping([]byte("p")))
	f.Add([]byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, next := range []nextOne{redisMessage, socketMessage} {
			payload, _, used, err := next(b)
			if used > len(b) || err != nil && used != 0 || len(payload) > used {
				t.Errorf("%d of %d bytes used, a payload of %d, %v", used, len(b), len(payload), err)
			}
		}
	})
}
