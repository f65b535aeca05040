package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNameOf(t *testing.T) {
	for in, want := range map[string]string{
		`{"name":"Ann"}`: "Ann",
		`{"a":{"name":"inner"},"b":[1,"name",{}],"name":"Ann Lee","z":null}`: "Ann Lee",
		`{"Name":"Ann","nam":"x","names":"y"}`:                               "",
		`{"name":7}`:                                                         "",
		`{"name":{"first":"Ann"}}`:                                           "",
		`{"name":null}`:                                                      "",
		`{"name":""}`:                                                        "",
		`{}`:                                                                 "",
		`["name","Ann"]`:                                                     "",
		`"name"`:                                                             "",
		`{"name":"` + strings.Repeat("x", MaxName) + `"}`:   strings.Repeat("x", MaxName),
		`{"name":"` + strings.Repeat("x", MaxName) + `y"}`:  strings.Repeat("x", MaxName),
		`{"name":"` + strings.Repeat("é", MaxName) + `"}`:   strings.Repeat("é", MaxName/2),
		`{"name":"x` + strings.Repeat("é", MaxName) + `"}`:  "x" + strings.Repeat("é", MaxName/2-1),
		`{"name":"xx` + strings.Repeat("𝄞", MaxName) + `"}`: "xx" + strings.Repeat("𝄞", MaxName/4-1),
	} {
		d, err := ParseJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := NameOf(d); got != want {
			t.Errorf("%.60s: %q, want %q", in, got, want)
		}
	}
	for _, d := range []Data{nil, {0xc0}, {0x81}, {0xdf, 0xff, 0xff, 0xff, 0xff}, Data("\x81\xa4name"), Data("\x81\xa4name\xa3An"), Data("\x81\xa4name\xa1\xff"), Data("\x81\xa4nam")} {
		if got := NameOf(d); got != "" {
			t.Errorf("% x: %q", []byte(d), got)
		}
	}
}

// What a stranger's document says is a name, it is the one that a decoder finds;
// and nothing makes it fail.
func FuzzNameOf(f *testing.F) {
	f.Add([]byte("\x82\xa1a\xa1b\xa4name\xa3Ann"))
	f.Add([]byte("\x81\xa4name\xd9\x81" + strings.Repeat("\xc3\xa9", 64) + "x"))
	f.Add([]byte("\xdf\xff\xff\xff\xff\xa4name"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := NameOf(b)
		if len(got) > MaxName || !utf8.ValidString(got) {
			t.Fatalf("%q", got)
		}
		if Check(b) != nil || !Data(b).IsObject() {
			return
		}
		var doc map[string]any
		if err := Msgpack.Decode(b, &doc); err != nil {
			return
		}
		h, err := scanHead(b)
		if err != nil || h.n != len(doc) {
			return // a key stands there twice
		}
		want, _ := doc["name"].(string)
		if !strings.HasPrefix(want, got) || len(want) <= MaxName && got != want || len(want) > MaxName && len(got) <= MaxName-utf8.UTFMax {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func BenchmarkNameOf(b *testing.B) {
	d, err := ParseJSON([]byte(`{"avatar":"https://example.com/a/0123456789.png","email":"ann@example.com","name":"Ann Lee","title":"Weaver"}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if NameOf(d) != "Ann Lee" {
			b.Fatal("not found")
		}
	}
}
