package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hellos are of n users in rooms rooms each, of a town of 2,000 rooms.
func hellos(tb testing.TB, n, rooms int) []Hello {
	tb.Helper()
	data := func(format string, args ...any) Data {
		d, err := ParseJSON(fmt.Appendf(nil, format, args...))
		if err != nil {
			tb.Fatal(err)
		}
		return d
	}
	out := make([]Hello, n)
	for i := range out {
		h := &out[i]
		h.User = AppendUserInfo(nil, &UserInfo{ID: UserID(fmt.Sprint("user-", i)), V: Seq(3000 + i), Data: data(`{"name":"User %d"}`, i)})
		h.RoomsV = Seq(200_000 + i)
		h.More = i%2 == 1
		for j := range rooms {
			k := (i*31 + j*(i+1)) % 2000
			id := RoomID(fmt.Sprintf("room-%04d", k))
			h.Memberships = append(h.Memberships, Membership{Room: id, From: Seq(j * 100), V: Seq(200_000 + j)})
			h.Rooms = append(h.Rooms, AppendRoomInfo(nil, &RoomInfo{
				ID: id, P: LogID(k % 16), Seq: Seq(10_000 + k), MemberCount: 100 + k%100, V: Seq(k),
				Data: data(`{"name":"Room %d","topic":"what it is about"}`, k),
			}))
		}
	}
	return out
}

func appendHellos(tb testing.TB, hellos []Hello) Data {
	tb.Helper()
	b, err := AppendHellos(nil, hellos)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestHellosRoundTrip(t *testing.T) {
	bare := Hello{User: AppendUserInfo(nil, &UserInfo{ID: "u", Data: Data{0x80}})}
	few := Hello{
		User: AppendUserInfo(nil, &UserInfo{ID: "ü", V: 1 << 40, Data: Data{0x80}}), RoomsV: 1 << 50, More: true,
		Memberships: []Membership{{Room: "a", From: 1, V: 2}, {Room: "not described", From: 1 << 33, V: 1 << 52}},
		Rooms:       []Data{AppendRoomInfo(nil, &RoomInfo{ID: "a", Data: Data{0x80}})},
	}
	for name, want := range map[string][]Hello{
		"none": {}, "bare": {bare}, "few": {bare, few, bare, few}, "many": hellos(t, MaxHellos, 20), "large": hellos(t, 1, 2000),
	} {
		b := appendHellos(t, want)
		got, err := ParseHellos(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range got { // empty and nil are the same
			if len(got[i].Memberships) == 0 {
				got[i].Memberships = nil
			}
			if len(got[i].Rooms) == 0 {
				got[i].Rooms = nil
			}
		}
		whole := cmp.Comparer(func(x, y Data) bool { return bytes.Equal(x, y) }) // not byte by byte
		if diff := cmp.Diff(want, got, whole); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if err := Check(b); err != nil {
			t.Errorf("%s: its form does not pass Check: %v", name, err)
		}
	}
}

// A room is told once, whoever is in it.
func TestHellosTellARoomOnce(t *testing.T) {
	one := hellos(t, 1, 20)
	same := slices.Repeat(one, MaxHellos)
	if once, all := len(appendHellos(t, one)), len(appendHellos(t, same)); all > once+MaxHellos*20*14 {
		t.Errorf("%d bytes for one user, %d for %d users in the same rooms", once, all, MaxHellos)
	}
	got, err := ParseHellos(appendHellos(t, same))
	if err != nil {
		t.Fatal(err)
	}
	if &got[0].Rooms[3][0] != &got[9].Rooms[3][0] {
		t.Error("two users have two copies of a room")
	}
}

func TestAppendHellosRefuses(t *testing.T) {
	for _, info := range []Data{nil, {0xc0}, {0x80}, {0x81, 0xa1, 'p', 1}, {0x81, 0xa2, 'i', 'd', 1}, {0x81, 0xa2, 'i', 'd', 0xa5, 'x'}} {
		if _, err := AppendHellos(nil, []Hello{{User: Data{0x80}, Rooms: []Data{info}}}); !errors.Is(err, ErrMalformed) {
			t.Errorf("a room %x: %v", info, err)
		}
	}
}

func TestHellosCutAnywhere(t *testing.T) {
	b := appendHellos(t, hellos(t, 3, 20))
	for n := range b {
		if _, err := ParseHellos(b[:n:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d of %d: %v", n, len(b), err)
		}
	}
	if _, err := ParseHellos(append(b, 0xc0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a value behind: %v", err)
	}
}

// Each entry ends, or grows, a reader that believes what it reads, or gives out
// what clients must not get.
func TestParseHellosRefuses(t *testing.T) {
	const user = "\x80" // {}
	for name, b := range map[string]string{
		"three parts":            "\x93\x90\x90\x90",
		"four arrays in three":   "\x93\x90\x90\x90\x90",
		"a list among rooms":     "\x94\x91\x90\x90\x90",
		"a map":                  "\x84\x90\x90\x90\x90",
		"claimed rooms":          "\x94\xdd\x7f\xff\xff\xfe",
		"claimed memberships":    "\x94\x90\xdd\x7f\xff\xff\xff",
		"claimed shown":          "\x94\x90\x90\xdd\x7f\xff\xff\xff",
		"claimed users":          "\x94\x90\x90\x90\xdd\x7f\xff\xff\xfb",
		"many users":             "\x94\x90\x90\x90\xdc\x01\x45" + strings.Repeat(user+"\x00\xc2\x00\x00", 65),
		"claimed id":             "\x94\x92\xdb\x7f\xff\xff\xff\xc0\x90\x90\x90",
		"half a room":            "\x94\x91\xa1r\x90\x90\x90",
		"a room without id":      "\x94\x92\x01\xc0\x90\x90\x90",
		"an id not UTF-8":        "\x94\x92\xa1\xff\xc0\x90\x90\x90",
		"a room that is text":    "\x94\x92\xa1r\xa1x\x90\x90\x90",
		"a malformed room":       "\x94\x92\xa1r\x81\x01\x01\x90\x90\x90",
		"a binary room":          "\x94\x92\xa1r\xc4\x01\x00\x90\x90\x90",
		"a claim in a room":      "\x94\x92\xa1r\x81\xa1x\xdd\x7f\xff\xff\xff\x90\x90\x90",
		"member of no room":      "\x94\x90\x93\x00\x01\x01\x90\x95" + user + "\x00\xc2\x01\x00",
		"negative number":        "\x94\x92\xa1r\xc0\x93\xff\x01\x01\x90\x95" + user + "\x00\xc2\x01\x00",
		"a position of 2^63":     "\x94\x92\xa1r\xc0\x93\x00\xcf\x80\x00\x00\x00\x00\x00\x00\x00\x01\x90\x95" + user + "\x00\xc2\x01\x00",
		"an undescribed one":     "\x94\x92\xa1r\xc0\x90\x91\x00\x95" + user + "\x00\xc2\x00\x01",
		"shown and not there":    "\x94\x90\x90\x91\x00\x95" + user + "\x00\xc2\x00\x01",
		"memberships of nobody":  "\x94\x92\xa1r\xc0\x93\x00\x01\x01\x90\x90",
		"rooms of nobody":        "\x94\x92\xa1r\x80\x90\x91\x00\x90",
		"others' memberships":    "\x94\x90\x90\x90\x95" + user + "\x00\xc2\x01\x00",
		"others' rooms":          "\x94\x90\x90\x90\x95" + user + "\x00\xc2\x00\x01",
		"no user":                "\x94\x90\x90\x90\x95\xc0\x00\xc2\x00\x00",
		"more is a number":       "\x94\x90\x90\x90\x95" + user + "\x00\x01\x00\x00",
		"rooms_v is no number":   "\x94\x90\x90\x90\x95" + user + "\xc2\xc2\x00\x00",
		"a user that is a list":  "\x94\x90\x90\x90\x95\x90\x00\xc2\x00\x00",
		"too deep":               "\x94\x92\xa1r\x81\xa1x" + strings.Repeat("\x91", MaxDepth+envelope) + "\xc0\x90\x90\x90",
		"too deep maps":          "\x94\x92\xa1r" + strings.Repeat("\x81\xa1x", MaxDepth+envelope+1) + "\xc0\x90\x90\x90",
		"something behind":       "\x94\x90\x90\x90\x90\x01",
		"nothing":                "",
		"a user's data not UTF8": "\x94\x90\x90\x90\x95\x81\xa1x\xa1\xff\x00\xc2\x00\x00",
	} {
		if got, err := ParseHellos(Data(b)); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// An answer's hellos are cut out of it, wherever it may be cut itself.
func TestParseAnswerWithHellos(t *testing.T) {
	want := &Answer{V: 7, Epoch: "e", Hellos: appendHellos(t, hellos(t, 2, 3))}
	b, err := Msgpack.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseAnswer(QHello, b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if &got.Hellos[len(got.Hellos)-1] != &b[len(b)-1] {
		t.Error("the hellos were copied")
	}
	for _, kind := range []QueryKind{QGet, QRooms} {
		if got, err := ParseAnswer(kind, b); err != nil || !cmp.Equal(want, got) {
			t.Errorf("as %s: %v\n%s", kind, err, cmp.Diff(want, got))
		}
	}
	for n := range b {
		a, err := ParseAnswer(QHello, b[:n:n])
		if err == nil {
			_, err = ParseHellos(a.Hellos)
		}
		if !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d of %d: %v", n, len(b), err)
		}
	}
	refused := &Answer{Err: &Error{T: TError, Code: Unavailable, Message: "x"}}
	if b, err = Msgpack.Append(nil, refused); err != nil {
		t.Fatal(err)
	}
	if got, err := ParseAnswer(QHello, b); err != nil || !cmp.Equal(refused, got) {
		t.Errorf("a refusal: %v\n%s", err, cmp.Diff(refused, got))
	}
	// Hellos that are not the last entry are read all the same.
	first := append(appendString([]byte{0x82}, "hellos"), want.Hellos...)
	first = appendString(appendString(first, "epoch"), "e")
	if got, err := ParseAnswer(QHello, first); err != nil || got.Epoch != "e" || !cmp.Equal(got.Hellos, want.Hellos) {
		t.Errorf("hellos in front: %v, %+v", err, got)
	}
}

// What is read of hellos costs the same few allocations however many there are,
// and one, for the ids, where a reader is used again.
func TestParseHellosAllocations(t *testing.T) {
	var r HelloReader
	for _, n := range []int{MaxHellos, 1} {
		b := appendHellos(t, hellos(t, n, 20))
		if got := testing.AllocsPerRun(20, func() { _, _ = ParseHellos(b) }); got > 10 {
			t.Errorf("%d users: %v allocations, want 10 at most", n, got)
		}
		if got := testing.AllocsPerRun(20, func() { _, _ = r.Parse(b) }); got > 1 {
			t.Errorf("%d users, a used reader: %v allocations, want 1", n, got)
		}
	}
}

// A reader says the same whatever it read before.
func TestHelloReaderForgets(t *testing.T) {
	var r HelloReader
	for i, n := range []int{MaxHellos, 1, 7, MaxHellos} {
		b := appendHellos(t, hellos(t, n, 3*i))
		want, err := ParseHellos(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Parse(b)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%d users after others: %v\n%s", n, err, cmp.Diff(want, got))
		}
		if _, err := r.Parse(b[:len(b)/2]); err == nil {
			t.Error("half an answer was read")
		}
		if i%2 == 0 {
			r.Reset()
		}
	}
}

func FuzzParseHellos(f *testing.F) {
	f.Add([]byte(appendHellos(f, hellos(f, 2, 3))))
	f.Add([]byte(appendHellos(f, hellos(f, 1, 0))))
	f.Add([]byte(AppendRoomInfo(nil, &RoomInfo{ID: "r", Seq: 1 << 20, V: 1 << 40, Data: Data("\x82\xa1a\xd9\x01x\xa1b\xc3")})))
	f.Add([]byte("\x94\x92\xa1r\x80\x93\x00\x01\x01\x91\x00\x95\x80\x00\xc2\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := plainMap(b, envelope); n > 0 { // the quick way is only a shorter one
			if m, err := skip(b, 1); m != n || err != nil {
				t.Fatalf("%x is %d bytes the quick way, %d and %v the general one", b, n, m, err)
			}
		}
		_, _ = ParseAnswer(QHello, b)
		got, err := ParseHellos(b)
		if err != nil {
			return
		}
		if len(got) > MaxHellos {
			t.Fatalf("%d hellos", len(got))
		}
		for i := range got {
			for _, d := range append(got[i].Rooms, got[i].User) {
				if Check(d) != nil || !d.IsObject() {
					t.Fatalf("%x is given out", d)
				}
			}
			got[i].Rooms = slices.DeleteFunc(got[i].Rooms, func(d Data) bool { _, err := RoomInfoID(d); return err != nil })
		}
		b, err = AppendHellos(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseHellos(b); err != nil {
			t.Fatalf("what was read and written again: %v", err)
		}
	})
}

func BenchmarkParseHellos(b *testing.B) {
	for _, n := range []int{1, MaxHellos} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			form := appendHellos(b, hellos(b, n, 20))
			answer, err := Msgpack.Append(nil, &Answer{V: 1, Epoch: "e", Hellos: form})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				a, err := ParseAnswer(QHello, answer)
				if err == nil {
					_, err = ParseHellos(a.Hellos)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/user")
			b.ReportMetric(float64(len(form))/float64(n), "B/user")
		})
	}
}

func BenchmarkAppendHellos(b *testing.B) {
	h := hellos(b, MaxHellos, 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendHellos(nil, h); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*MaxHellos), "ns/user")
}
