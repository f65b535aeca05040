package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBothCodecsSayTheSame(t *testing.T) {
	since, before := Seq(7), Seq(9)
	for _, m := range []any{
		&ClientMessage{
			T: THello, Token: "x", Topics: []Channel{"topic:a"}, Client: "js/1",
			Resume: &Cursor{Epoch: "e", At: At{"0": 1, "15": 1 << 40}, Behind: map[Channel]Seq{"room:a": 4}, V: 8},
		},
		&ClientMessage{T: TPublish, ID: 3, Ch: "room:a", Data: Data{0x81, 0xa1, 'x', 0xc3}, MsgID: "m", Refs: []string{"u"}},
		&ClientMessage{T: THistory, ID: 4, Ch: "room:a", Since: &since, Before: &before, After: Data{5}, Limit: 50},
		&Welcome{
			T: TWelcome, Session: "s", User: UserInfo{ID: "u", V: 1, Data: Data{0x80}},
			Rooms:  []RoomInfo{{ID: "r", P: 3, Seq: 9, MemberCount: 2, V: 4, Data: Data{0x80}}},
			Cursor: Cursor{Epoch: "e", At: At{"0": 0}, V: 3}, Edge: EdgeInfo{ID: "e1", Region: "eu-west"}, Ping: 25,
		},
		&Query{T: QFill, Chs: []Channel{"room:a"}, Afters: []Seq{3}, Uptos: []Seq{4}, After: &since},
		&Answer{Fills: []Fill{{Ch: "room:a", Floor: 1, Upto: 2, Frames: []Data{{0x80}}}}, Err: &Error{T: TError, Code: NotFound, Message: "x"}},
		&StateRecord{Kind: StateMember, Room: "r", User: "u", From: 3, V: 4, Deleted: true},
	} {
		for _, c := range []Codec{JSON, Msgpack} {
			b, err := c.Append([]byte("x"), m)
			if err != nil {
				t.Fatalf("%T in %v: %v", m, c, err)
			}
			back := newOf(m)
			if err := c.DecodeStrict(b[1:], back); err != nil {
				t.Errorf("%T in %v: %v", m, c, err)
			} else if diff := cmp.Diff(m, back); diff != "" {
				t.Errorf("%T in %v:\n%s", m, c, diff)
			}
		}
		text, err := JSON.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := Msgpack.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseJSON([]byte(Data(packed).String()))
		if err != nil || !cmp.Equal(a, b) {
			t.Errorf("%T: JSON says %s, msgpack %s (%v)", m, text, Data(packed), err)
		}
	}
}

func newOf(m any) any {
	switch m.(type) {
	case *ClientMessage:
		return new(ClientMessage)
	case *Welcome:
		return new(Welcome)
	case *Query:
		return new(Query)
	case *Answer:
		return new(Answer)
	}
	return new(StateRecord)
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"t":"hello"`, "malformed JSON: it ends early"},
		{`{"t":5}`, "t: expected string, got a JSON number"},
		{`{"t":"x"} {}`, "malformed JSON: more than one value"},
		{`hello`, "malformed JSON: invalid character 'h' looking for beginning of value"},
		{`{"t":""}`, "t: missing"},
	} {
		_, err := ParseClientMessage(JSON, []byte(c.in))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.in, err, c.want)
		}
	}
	var q Query
	err := JSON.DecodeStrict([]byte(`{"t":"x","chanel":1}`), &q)
	var field *FieldError
	if !errors.As(err, &field) || field.Field != "chanel" {
		t.Errorf("an unknown field: %v", err)
	}
	if _, err := ParseClientMessage(Msgpack, []byte{0x81, 0xa1, 'x', 0xdd, 0xff, 0xff, 0xff, 0xff}); !errors.Is(err, ErrMalformed) {
		t.Errorf("a hostile header: %v", err)
	}
	if _, err := ParseClientMessage(JSON, make([]byte, MaxClientMessage+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an oversize message: %v", err)
	}
}

func TestCursorPositions(t *testing.T) {
	at := AtOf([]Seq{3, 0, 9})
	got, err := at.Positions(3)
	if err != nil || !cmp.Equal(got, []Seq{3, 0, 9}) {
		t.Errorf("%v %v", got, err)
	}
	for _, logs := range []int{2, 4} {
		if _, err := at.Positions(logs); !errors.Is(err, ErrBadCursor) {
			t.Errorf("a cursor of 3 logs is taken for %d: %v", logs, err)
		}
	}
}

func TestLogOfIsStable(t *testing.T) {
	// These places are for ever: a cluster's logs depend on them.
	for ch, want := range map[Channel]LogID{"room:general": 12, "inbox:u1": 7, "topic:news": 5} {
		if got := LogOf(ch, 16); got != want {
			t.Errorf("%s is in log %d, want %d", ch, got, want)
		}
	}
	used := map[LogID]int{}
	for i := range 16000 {
		used[LogOf(Channel(fmt.Sprintf("room:%d", i)), 16)]++
	}
	for p := range LogID(16) {
		if used[p] < 800 || used[p] > 1200 {
			t.Errorf("log %d has %d of 16000 channels", p, used[p])
		}
	}
}
