package wire

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// AppendStateRecord says byte for byte what the library says.
func TestAppendStateRecordIsTheLibrarys(t *testing.T) {
	ids := rapid.SampledFrom([]string{"", "u", "a b", strings.Repeat("é", 30), strings.Repeat("x", 128)})
	numbers := rapid.SampledFrom([]uint64{0, 1, 127, 128, 255, 256, 1 << 16, 1 << 32, 1<<53 - 1})
	rapid.Check(t, func(t *rapid.T) {
		r := StateRecord{
			Kind: rapid.SampledFrom([]StateKind{StateUser, StateRoom, StateMember}).Draw(t, "kind"),
			Room: RoomID(ids.Draw(t, "room")), User: UserID(ids.Draw(t, "user")), Deleted: rapid.Bool().Draw(t, "deleted"),
			Data:    rapid.SampledFrom([]Data{nil, {}, {0x80}, Data("\x81\xa4name\xa3One")}).Draw(t, "data"),
			Version: numbers.Draw(t, "version"), From: Seq(numbers.Draw(t, "from")), V: Seq(numbers.Draw(t, "v")),
			MemberCount: int(numbers.Draw(t, "count")),
		}
		want, err := Msgpack.Append([]byte("x"), &r)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendStateRecord([]byte("x"), &r); !bytes.Equal(got, want) {
			t.Errorf("%+v:\n%x, the library:\n%x", r, got, want)
		}
	})
}

func BenchmarkAppendStateRecord(b *testing.B) {
	r := StateRecord{Kind: StateMember, Room: "room-1", User: "user-1", From: 1 << 20, V: 1 << 30, MemberCount: 100_000}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendStateRecord(dst[:0], &r)
	}
}
