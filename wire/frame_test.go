package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func post(t *testing.T) Post {
	t.Helper()
	d, err := ParseJSON([]byte(`{"text":"hi","n":[1,2.5,null]}`))
	if err != nil {
		t.Fatal(err)
	}
	return Post{Ch: "room:general", TS: 1790000000123, From: "u1", MsgID: "m-1", Refs: []string{"u2", "u3"}, Data: d}
}

func TestFrameRoundTrip(t *testing.T) {
	full := post(t)
	bare := Post{Ch: "topic:x", TS: 1, Data: Data{0xc0}}
	mentions := Post{Ch: "topic:x", TS: 1, Refs: []string{"u2"}, Data: Data{0xc0}}
	for _, p := range []Post{full, bare, mentions} {
		body := AppendBody(nil, &p)
		back, err := ParseBody(body)
		if diff := cmp.Diff(p, back); err != nil || diff != "" {
			t.Errorf("body: %v\n%s", err, diff)
		}
		b := AppendFrame(nil, 7, 1<<40, 12, body)
		f, err := ParseFrame(b)
		want := Frame{Ch: p.Ch, P: 7, Refers: p.From != "" || p.Refs != nil, Seq: 1 << 40, Prev: 12, TS: p.TS, Bytes: b}
		if diff := cmp.Diff(want, f); err != nil || diff != "" {
			t.Errorf("frame: %v\n%s", err, diff)
		}
		if back, err := f.Post(); err != nil || !cmp.Equal(p, back) {
			t.Errorf("post of a frame: %v\n%s", err, cmp.Diff(p, back))
		}
		for n := range b {
			if _, err := ParseFrame(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("a frame cut at %d is taken: %v", n, err)
			}
		}
		for n := range body {
			if _, err := ParseBody(body[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("a body cut at %d is taken: %v", n, err)
			}
		}
	}
}

// The JSON twin of a frame is what a JSON client receives: its names are the
// contract's.
func TestFrameAsClientsSeeIt(t *testing.T) {
	p := post(t)
	b := AppendFrame(nil, 7, 1042, 12, AppendBody(nil, &p))
	const want = `{"t":"message","p":7,"seq":1042,"prev":12,"ch":"room:general","ts":1790000000123,"from":"u1","msg_id":"m-1","refs":["u2","u3"],"data":{"n":[1,2.5,null],"text":"hi"}}`
	if got := Data(b).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	back := Data(AppendBack(nil, b)).String()
	if want := strings.TrimSuffix(want, "}") + `,"back":true}`; back != want {
		t.Errorf("got  %s\nwant %s", back, want)
	}
	if err := Check(AppendBack(nil, b)); err != nil {
		t.Error(err)
	}
}

func TestPostCheck(t *testing.T) {
	for name, spoil := range map[string]func(*Post){
		"no data":      func(p *Post) { p.Data = nil },
		"much data":    func(p *Post) { p.Data = append([]byte{0xdb, 0, 0x10, 0, 0}, make([]byte, MaxData)...) },
		"long id":      func(p *Post) { p.MsgID = strings.Repeat("x", MaxMsgID+1) },
		"bad from":     func(p *Post) { p.From = "\xff" },
		"many refs":    func(p *Post) { p.Refs = make([]string, MaxRefs+1) },
		"bad ref":      func(p *Post) { p.Refs = []string{".."} },
		"no kind":      func(p *Post) { p.Ch = "general" },
		"unknown kind": func(p *Post) { p.Ch = "chat:general" },
		"empty id":     func(p *Post) { p.Ch = "room:" },
		"pattern":      func(p *Post) { p.Ch = "room:*" },
		"control":      func(p *Post) { p.Ch = "room:a\nb" },
		"deep data":    func(p *Post) { p.Data = append([]byte(strings.Repeat("\x91", MaxDepth+1)), 0xc0) },
		"malformed":    func(p *Post) { p.Data = Data{0xdd, 0xff, 0xff, 0xff, 0xff} },
		"long room":    func(p *Post) { p.Ch = Channel("room:" + strings.Repeat("x", MaxID+1)) },
		"not UTF-8":    func(p *Post) { p.Ch = "room:\xff" },
		"dot":          func(p *Post) { p.Ch = "room:." },
	} {
		p := post(t)
		spoil(&p)
		if p.Check() == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	p := post(t)
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.Data = append([]byte(strings.Repeat("\x91", MaxDepth)), 0xc0)
	if err := p.Check(); err != nil {
		t.Errorf("data nested %d deep: %v", MaxDepth, err)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	p := Post{Ch: "room:general", TS: 1790000000123, From: "u1", Data: append([]byte{0xda, 4, 0}, make([]byte, 1024)...)}
	body := AppendBody(nil, &p)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], 3, 123456, 123450, body)
	}
}

func BenchmarkParseFrame(b *testing.B) {
	p := Post{Ch: "room:general", TS: 1790000000123, From: "u1", Data: append([]byte{0xda, 4, 0}, make([]byte, 1024)...)}
	frame := AppendFrame(nil, 3, 123456, 123450, AppendBody(nil, &p))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
