package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// AppendWelcome says what the library says of the same Welcome; their maps may
// differ in order.
func TestAppendWelcomeIsAWelcome(t *testing.T) {
	small := Welcome{
		T: TWelcome, Session: "s", User: UserInfo{ID: "u", Data: Data{0x80}}, Rooms: []RoomInfo{},
		Cursor: Cursor{Epoch: "e", At: AtOf(make([]Seq, 16))},
	}
	large := small
	large.Session, large.More, large.Resumed, large.Ping, large.RoomsV = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", true, true, 25, 1<<40
	large.Edge = EdgeInfo{ID: "edge-1", Region: "eu-west"}
	large.User = UserInfo{ID: "ü", V: 1 << 33, Data: Data("\x81\xa4name\xa3One")}
	large.Cursor.V, large.Cursor.Behind = 1<<52, map[Channel]Seq{"room:a": 1, "topic:" + Channel(bytes.Repeat([]byte("x"), 128)): 1 << 20}
	for i := range MaxLogs {
		large.Cursor.At[LogID(i).String()] = Seq(1) << (i % 53)
	}
	for i := range 100 {
		large.Rooms = append(large.Rooms, RoomInfo{
			ID: RoomID(fmt.Sprint("room-", i)), P: LogID(i * 2), Seq: Seq(1) << (i % 53), MemberCount: 1 << (i % 30), V: Seq(i), Data: Data{0x80},
		})
	}
	for name, want := range map[string]Welcome{"small": small, "large": large} {
		at, err := want.Cursor.At.Positions(len(want.Cursor.At))
		if err != nil {
			t.Fatal(err)
		}
		parts := WelcomeParts{
			Session: want.Session, User: AppendUserInfo(nil, &want.User), More: want.More, RoomsV: want.RoomsV,
			Epoch: want.Cursor.Epoch, At: at, Behind: want.Cursor.Behind, V: want.Cursor.V,
			Edge: want.Edge, Ping: want.Ping, Resumed: want.Resumed,
		}
		for i := range want.Rooms {
			parts.Rooms = append(parts.Rooms, AppendRoomInfo(nil, &want.Rooms[i]))
		}
		got := AppendWelcome([]byte("x"), &parts)[1:]
		var back Welcome
		if err := Msgpack.DecodeStrict(got, &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		packed, err := Msgpack.Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := ParseJSON([]byte(Data(packed).String()))
		b, errB := ParseJSON([]byte(Data(got).String()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) || len(got) != len(packed) {
			t.Errorf("%s: %d bytes %s (%v)\nwant %d bytes %s (%v)", name, len(got), Data(got), errB, len(packed), Data(packed), errA)
		}
	}
}

func TestInfosAreAsTheLibraryWritesThem(t *testing.T) {
	for _, data := range []Data{nil, {0x80}, Data("\x81\xa4name\xa3One")} {
		for shift := range 53 {
			n := Seq(1) << shift
			u := UserInfo{ID: "u", V: n, Data: data}
			r := RoomInfo{ID: "r", P: LogID(shift), Seq: n - 1, MemberCount: int(n), V: n + 1, Data: data}
			for _, c := range []struct {
				got []byte
				of  any
			}{{AppendUserInfo(nil, &u), u}, {AppendRoomInfo(nil, &r), r}} {
				if want, err := Msgpack.Append(nil, c.of); err != nil || !bytes.Equal(c.got, want) {
					t.Errorf("%+v is %x, want %x (%v)", c.of, c.got, want, err)
				}
			}
			if id, err := RoomInfoID(AppendRoomInfo(nil, &r)); err != nil || id != "r" {
				t.Errorf("the id of %+v is %q, %v", r, id, err)
			}
		}
	}
}

func TestAppendWelcomeAllocatesNothing(t *testing.T) {
	w := welcomeParts(t)
	buf := AppendWelcome(nil, &w)
	if n := testing.AllocsPerRun(100, func() { buf = AppendWelcome(buf[:0], &w) }); n != 0 {
		t.Errorf("AppendWelcome allocates %v times", n)
	}
}

// welcomeParts are of a user in 20 rooms.
func welcomeParts(tb testing.TB) WelcomeParts {
	h := hellos(tb, 1, 20)[0]
	w := WelcomeParts{
		Session: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", User: h.User, Rooms: h.Rooms, RoomsV: h.RoomsV, Epoch: "0123456789abcdef",
		V: h.RoomsV, Edge: EdgeInfo{ID: "edge-1", Region: "eu-west"}, Ping: 25,
	}
	for p := range 16 {
		w.At = append(w.At, Seq(100_000+p))
	}
	return w
}

func BenchmarkAppendWelcome(b *testing.B) {
	w := welcomeParts(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendWelcome(buf[:0], &w)
	}
	b.SetBytes(int64(len(buf)))
}
