package client

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"selvedge/wire"
)

// A client that asks for it, at an edge that agrees, understands what is
// compressed, and compresses what is worth it; nobody else does.
func TestCompresses(t *testing.T) {
	for codec := range wire.Codecs {
		for _, asks := range []bool{true, false} {
			for _, takes := range []bool{true, false} {
				bubble(t, func(t *testing.T, n *network) {
					e := n.edge(t, "one")
					e.deflate = takes
					h := run(t, n, Config{Edges: []string{e.url()}, JSON: codec == wire.JSON, Compress: asks})
					c := <-e.conns
					c.welcome(t, 10)
					long := strings.Repeat("all is well. ", 1000)
					last := wire.Seq(10)
					for _, said := range []string{"hi", long, "bye"} {
						c.send(t, &Message{T: "message", Ch: chA, Seq: last + 1, Prev: last, TS: 1, Data: text(said)})
						last++
					}
					synctest.Wait()
					if len(h.messages) != 3 || h.messages[1].Data.String() != text(long).String() {
						t.Fatalf("%s: %d messages came", codec, len(h.messages))
					}
					short := text("hi")
					for _, said := range []wire.Data{short, text(long[:900])} {
						if err := h.Signal(chA, said); err != nil {
							t.Fatal(err)
						}
						if m := c.expect(t, wire.TSignal); m.Data.String() != said.String() {
							t.Errorf("%s: the edge got %s", codec, m.Data)
						}
					}
					want := 0
					if asks && takes {
						want = 1
					}
					if c.offered != asks || c.deflate != (asks && takes) || c.short != want {
						t.Errorf("%s, asks %v, takes %v: offered %v, agreed %v, %d compressed", codec, asks, takes, c.offered, c.deflate, c.short)
					}
					h.finish(t, c)
				})
			}
		}
	}
}

// What an edge must not send ends the connection, with the blame where it
// belongs.
func TestBrokenCompression(t *testing.T) {
	bomb, err := wsflate.CompressFrame(ws.NewBinaryFrame(make([]byte, maxMessage+1)))
	if err != nil {
		t.Fatal(err)
	}
	frame := func(fin bool, rsv byte, op ws.OpCode, payload string) ws.Frame {
		f := ws.NewFrame(op, fin, []byte(payload))
		f.Header.Rsv = rsv
		return f
	}
	for name, test := range map[string]struct {
		frames []ws.Frame
		says   string
		plain  bool // compression isn't agreed on
	}{
		"bomb":           {frames: []ws.Frame{bomb}, says: "more than 2097152 bytes"},
		"broken":         {frames: []ws.Frame{frame(true, rsv1, ws.OpBinary, "\xff")}, says: "compressed message is broken"},
		"not agreed":     {frames: []ws.Frame{frame(true, rsv1, ws.OpBinary, "\x00")}, plain: true, says: "reserved bits"},
		"ping":           {frames: []ws.Frame{frame(true, rsv1, ws.OpPing, "\x00")}, says: "reserved bits"},
		"continuation":   {frames: []ws.Frame{frame(false, rsv1, ws.OpBinary, "\x00"), frame(true, rsv1, ws.OpContinuation, "\x00")}, says: "reserved bits"},
		"another bit":    {frames: []ws.Frame{frame(true, 0x2, ws.OpBinary, "\x00")}, says: "reserved bits"},
		"not UTF-8":      {says: "not UTF-8"},
		"other fragment": {frames: []ws.Frame{frame(false, 0, ws.OpBinary, "\x00"), frame(true, rsv1, ws.OpBinary, "\x00")}, says: "opcode"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				e := n.edge(t, "one")
				e.deflate = !test.plain
				text := test.frames == nil
				h := run(t, n, Config{Edges: []string{e.url()}, Compress: true, JSON: text})
				c := <-e.conns
				c.welcome(t, 10)
				if text {
					f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(`{"t":"` + "\xff" + `"}`)))
					if err != nil {
						t.Fatal(err)
					}
					test.frames = []ws.Frame{f}
				}
				var all []byte
				for _, f := range test.frames {
					b, err := ws.CompileFrame(f)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, b...)
				}
				if _, err := c.Write(all); err != nil {
					t.Fatal(err)
				}
				if m := c.expect(t, "ws:close"); m.ID != 1002 {
					t.Errorf("closed with %d", m.ID)
				}
				_ = c.Close()
				c = <-e.conns
				c.welcome(t, 0)
				h.finish(t, c)
				if !slices.ContainsFunc(h.states, func(s State) bool { return s.Err != nil && strings.Contains(s.Err.Error(), test.says) }) {
					t.Errorf("%v, want %q", h.states, test.says)
				}
			})
		})
	}
}

// An edge's answer must fit the offer.
func TestAgreed(t *testing.T) {
	good := wsflate.Parameters{ServerNoContextTakeover: true}
	for name, test := range map[string]struct {
		answers []wsflate.Parameters
		ok, bad bool
	}{
		"none":             {},
		"as offered":       {answers: []wsflate.Parameters{offer}, ok: true},
		"all that it must": {answers: []wsflate.Parameters{good}, ok: true},
		"window":           {answers: []wsflate.Parameters{{ServerNoContextTakeover: true, ServerMaxWindowBits: 12}}, ok: true},
		"keeps a context":  {answers: []wsflate.Parameters{{ClientNoContextTakeover: true}}, bad: true},
		"small window":     {answers: []wsflate.Parameters{{ServerNoContextTakeover: true, ClientMaxWindowBits: 10}}, bad: true},
		"twice":            {answers: []wsflate.Parameters{good, good}, bad: true},
	} {
		var shake ws.Handshake
		for _, a := range test.answers {
			shake.Extensions = append(shake.Extensions, a.Option())
		}
		if ok, err := agreed(&shake); ok != test.ok || (err != nil) != test.bad {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	var shake ws.Handshake
	unknown := offer.Option()
	unknown.Parameters.Set([]byte("x"), nil)
	shake.Extensions = append(shake.Extensions, unknown)
	if ok, err := agreed(&shake); ok || err == nil {
		t.Errorf("an unknown parameter: %v", ok)
	}
}
