package websocket

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selvedge/wire"
)

// raw is a client's frame, as wrong as a test wants it.
func raw(first byte, payload string) []byte {
	b := AppendMasked(nil, 0, []byte(payload), [4]byte{1, 2, 3, 4})
	b[0] = first
	return b
}

// What a first byte can say.
const (
	final   = 0x80
	partial = 0x00
	cont    = 0x0
	text    = 0x1
	blob    = 0x2
	closing = 0x8
	ping    = 0x9
	pong    = 0xA
)

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// event is one call of Feed's fn.
type event struct {
	Op      Op
	Payload string
}

// feed gives chunks to p, in copies, since Feed may overwrite them.
func feed(p *Parser, limit int, chunks ...[]byte) (events []event, err error) {
	for _, chunk := range chunks {
		err = p.Feed(bytes.Clone(chunk), limit, func(op Op, payload []byte) error {
			events = append(events, event{op, string(payload)})
			return nil
		})
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// bytewise is b in chunks of one byte.
func bytewise(b []byte) [][]byte {
	chunks := make([][]byte, len(b))
	for i := range b {
		chunks[i] = b[i : i+1]
	}
	return chunks
}

const testLimit = 70_000

// Every rule of RFC 6455 that a stream of frames can keep or break.
func TestParser(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 5_000)
	closeWith := func(code wire.CloseCode, reason string) []byte {
		return raw(final|closing, string(AppendClose(nil, code, reason)))
	}
	badClose := func(payload string) []byte { return raw(final|closing, payload) }
	tests := map[string]struct {
		in   []byte
		want []event
		err  *Error
	}{
		"nothing":             {},
		"text":                {in: raw(final|text, "hi"), want: []event{{OpText, "hi"}}},
		"binary":              {in: raw(final|blob, "\xff\x00"), want: []event{{OpBinary, "\xff\x00"}}},
		"empty text":          {in: raw(final|text, ""), want: []event{{OpText, ""}}},
		"two":                 {in: join(raw(final|text, "a"), raw(final|text, "b")), want: []event{{OpText, "a"}, {OpText, "b"}}},
		"125 bytes":           {in: raw(final|text, long[:125]), want: []event{{OpText, long[:125]}}},
		"126 bytes":           {in: raw(final|text, long[:126]), want: []event{{OpText, long[:126]}}},
		"65,535 bytes":        {in: raw(final|text, long[:65_535]), want: []event{{OpText, long[:65_535]}}},
		"65,536 bytes":        {in: raw(final|text, long[:65_536]), want: []event{{OpText, long[:65_536]}}},
		"at the limit":        {in: raw(final|text, long[:testLimit]), want: []event{{OpText, long[:testLimit]}}},
		"fragments":           {in: join(raw(text, "a"), raw(cont, "b"), raw(cont, ""), raw(final|cont, "c")), want: []event{{OpText, "abc"}}},
		"binary fragments":    {in: join(raw(blob, "\xff"), raw(final|cont, "\xfe")), want: []event{{OpBinary, "\xff\xfe"}}},
		"empty fragments":     {in: join(raw(text, ""), raw(cont, ""), raw(final|cont, "")), want: []event{{OpText, ""}}},
		"after fragments":     {in: join(raw(text, "a"), raw(final|cont, "b"), raw(final|blob, "c")), want: []event{{OpText, "ab"}, {OpBinary, "c"}}},
		"control in between":  {in: join(raw(text, "a"), raw(final|ping, "p"), raw(cont, "b"), raw(final|pong, ""), raw(final|cont, "c")), want: []event{{OpPing, "p"}, {OpPong, ""}, {OpText, "abc"}}},
		"close in between":    {in: join(raw(text, "a"), closeWith(1001, "bye")), want: []event{{OpClose, "\x03\xe9bye"}}},
		"ping of 125":         {in: raw(final|ping, long[:125]), want: []event{{OpPing, long[:125]}}},
		"close without code":  {in: badClose(""), want: []event{{OpClose, ""}}},
		"after close":         {in: join(closeWith(1000, ""), raw(0xFF, "rubbish")), want: []event{{OpClose, "\x03\xe8"}}},
		"close codes":         {in: closeWith(4999, "ü"), want: []event{{OpClose, "\x13\x87ü"}}},
		"UTF-8 cut in two":    {in: join(raw(text, "\xe2\x82"), raw(final|ping, ""), raw(final|cont, "\xac")), want: []event{{OpPing, ""}, {OpText, "€"}}},
		"unmasked":            {in: append(AppendHeader(nil, OpText, 2), "hi"...), err: ErrUnmasked},
		"reserved bit 1":      {in: raw(final|0x40|text, "x"), err: ErrReserved},
		"reserved bit 2":      {in: raw(final|0x20|text, "x"), err: ErrReserved},
		"reserved bit 3":      {in: raw(final|0x10|ping, ""), err: ErrReserved},
		"opcode 3":            {in: raw(final|3, ""), err: ErrOpcode},
		"opcode 7":            {in: raw(final|7, ""), err: ErrOpcode},
		"opcode 11":           {in: raw(final|11, ""), err: ErrOpcode},
		"opcode 15":           {in: raw(final|15, ""), err: ErrOpcode},
		"fragmented ping":     {in: raw(partial|ping, "x"), err: ErrControl},
		"fragmented close":    {in: raw(partial|closing, ""), err: ErrControl},
		"ping of 126":         {in: raw(final|ping, long[:126]), err: ErrControl},
		"lone continuation":   {in: raw(final|cont, "x"), err: ErrContinuation},
		"second continuation": {in: join(raw(text, "a"), raw(final|cont, "b"), raw(final|cont, "c")), want: []event{{OpText, "ab"}}, err: ErrContinuation},
		"text in text":        {in: join(raw(text, "a"), raw(final|text, "b")), err: ErrInterleaved},
		"binary in text":      {in: join(raw(text, "a"), raw(blob, "b")), err: ErrInterleaved},
		"short length in 2":   {in: []byte{final | text, maskBit | length16, 0, 125, 0, 0, 0, 0}, err: ErrLength},
		"short length in 8":   {in: []byte{final | text, maskBit | length64, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, err: ErrLength},
		"negative length":     {in: []byte{final | text, maskBit | length64, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, err: ErrLength},
		"bad UTF-8":           {in: raw(final|text, "\xff"), err: ErrUTF8},
		"surrogate":           {in: raw(final|text, "\xed\xa0\x80"), err: ErrUTF8},
		"overlong":            {in: raw(final|text, "\xc0\x80"), err: ErrUTF8},
		"unfinished UTF-8":    {in: join(raw(text, "\xe2\x82"), raw(final|cont, "")), err: ErrUTF8},
		"bad across frames":   {in: join(raw(text, "\xe2\x82"), raw(final|cont, "x")), err: ErrUTF8},
		"bad before the end":  {in: join(raw(text, "a\xff"), raw(final|ping, "")), err: ErrUTF8},
		"bad close reason":    {in: badClose("\x03\xe8\xff"), err: ErrUTF8},
		"half a close code":   {in: badClose("\x03"), err: ErrCloseCode},
		"too large":           {in: raw(final|text, long[:testLimit+1]), err: ErrTooLarge},
		"too large in sum":    {in: join(raw(text, long[:testLimit]), raw(final|cont, "x")), err: ErrTooLarge},
		"enormous":            {in: []byte{final | text, maskBit | length64, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, err: ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for way, chunks := range map[string][][]byte{"at once": {test.in}, "byte by byte": bytewise(test.in)} {
				var p Parser
				got, err := feed(&p, testLimit, chunks...)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
				var proto *Error
				errors.As(err, &proto)
				if proto != test.err {
					t.Errorf("%s: error %v, want %v", way, err, test.err)
				}
				if err != nil {
					if _, again := feed(&p, testLimit, raw(final|text, "x")); !errors.Is(again, ErrSpent) {
						t.Errorf("%s: after the error: %v", way, again)
					}
				}
				if p.buf != nil && p.flags&(inPayload|inMessage) == 0 {
					t.Errorf("%s: the buffer is kept", way)
				}
			}
		})
	}
}

// Every rule of RFC 7692 that a stream of frames can keep or break.
func TestParserInflates(t *testing.T) {
	const deflated = rsv1Bit
	long := chat(5_000)
	short := string(mustDeflate(t, long))
	badText := byStandardLibrary(t, 6, "a\xff")
	tests := map[string]struct {
		in   []byte
		want []event
		err  *Error
	}{
		"text":               {in: raw(final|deflated|text, short), want: []event{{OpText, long}}},
		"binary":             {in: raw(final|deflated|blob, badText), want: []event{{OpBinary, "a\xff"}}},
		"not compressed":     {in: raw(final|text, long), want: []event{{OpText, long}}},
		"now and then":       {in: join(raw(final|deflated|text, short), raw(final|text, "a"), raw(final|deflated|text, short)), want: []event{{OpText, long}, {OpText, "a"}, {OpText, long}}},
		"fragments":          {in: join(raw(deflated|text, short[:9]), raw(cont, ""), raw(cont, short[9:70]), raw(final|cont, short[70:])), want: []event{{OpText, long}}},
		"after fragments":    {in: join(raw(deflated|text, short), raw(final|cont, ""), raw(text, "a"), raw(final|cont, "b")), want: []event{{OpText, long}, {OpText, "ab"}}},
		"control in between": {in: join(raw(deflated|text, short[:9]), raw(final|ping, "p"), raw(final|cont, short[9:])), want: []event{{OpPing, "p"}, {OpText, long}}},
		"empty":              {in: raw(final|deflated|text, "\x00"), want: []event{{OpText, ""}}},
		"empty, no block":    {in: raw(final|deflated|text, ""), want: []event{{OpText, ""}}},
		"empty fragments":    {in: join(raw(deflated|text, ""), raw(final|cont, "")), want: []event{{OpText, ""}}},
		"as long as may be":  {in: raw(final|deflated|blob, byStandardLibrary(t, 0, noise(testLimit))), want: []event{{OpBinary, noise(testLimit)}}},
		"on a ping":          {in: raw(final|deflated|ping, ""), err: ErrReserved},
		"on a close":         {in: raw(final|deflated|closing, ""), err: ErrReserved},
		"on a continuation":  {in: join(raw(deflated|text, short[:9]), raw(final|deflated|cont, short[9:])), err: ErrReserved},
		"other bits":         {in: raw(final|deflated|0x20|text, short), err: ErrReserved},
		"another bit":        {in: raw(final|0x10|text, short), err: ErrReserved},
		"in a message":       {in: join(raw(text, "a"), raw(final|deflated|text, short)), err: ErrInterleaved},
		"unknown opcode":     {in: raw(final|deflated|3, ""), err: ErrReserved},
		"broken":             {in: raw(final|deflated|text, "\xff"), err: ErrDeflate},
		"cut":                {in: raw(final|deflated|text, short[:len(short)-1]), err: ErrDeflate},
		"bad UTF-8":          {in: raw(final|deflated|text, badText), err: ErrUTF8},
		"bad in fragments":   {in: join(raw(deflated|text, badText[:2]), raw(final|cont, badText[2:])), err: ErrUTF8},
		"bomb":               {in: raw(final|deflated|text, byStandardLibrary(t, 9, strings.Repeat("x", testLimit+1))), err: ErrTooLarge},
		"too large":          {in: raw(final|deflated|text, noise(testLimit+testLimit/100)), err: ErrTooLarge},
		"too large in sum":   {in: join(raw(deflated|text, noise(testLimit)), raw(final|cont, noise(testLimit/100))), err: ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for way, chunks := range map[string][][]byte{"at once": {test.in}, "byte by byte": bytewise(test.in)} {
				p := FromClient(true)
				got, err := feed(&p, testLimit, chunks...)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
				var proto *Error
				errors.As(err, &proto)
				if proto != test.err {
					t.Errorf("%s: error %v, want %v", way, err, test.err)
				}
				if p.buf != nil {
					t.Errorf("%s: the buffer is kept", way)
				}
			}
		})
	}
}

func TestCloseCodes(t *testing.T) {
	valid := map[int]bool{}
	for _, r := range [][2]int{{1000, 1003}, {1007, 1014}, {3000, 4999}} {
		for code := r[0]; code <= r[1]; code++ {
			valid[code] = true
		}
	}
	for code := range 1 << 16 {
		var p Parser
		got, err := feed(&p, 0, raw(final|closing, string(AppendClose(nil, wire.CloseCode(code), ""))))
		if valid[code] != (err == nil) || err != nil && !errors.Is(err, ErrCloseCode) {
			t.Errorf("%d: %v, %v", code, got, err)
		}
	}
}

// What is wrong with a header is told before its payload is there, as early as
// it can be known.
func TestErrorsComeEarly(t *testing.T) {
	for name, test := range map[string]struct {
		in  []byte
		err *Error
	}{
		"mask":      {[]byte{final | text, 5}, ErrUnmasked},
		"opcode":    {[]byte{final | 5, maskBit | 5}, ErrOpcode},
		"control":   {[]byte{final | ping, maskBit | length16}, ErrControl},
		"too large": {[]byte{final | text, maskBit | length16, 0, 200}, ErrTooLarge},
		"UTF-8":     {raw(final|text, "Hello \xed\xa0 World")[:14], ErrUTF8},
		"enormous":  {[]byte{final | text, maskBit | length64, 0, 0, 0, 0, 1, 0, 0, 0}, ErrTooLarge},
	} {
		var p Parser
		if _, err := feed(&p, 199, test.in); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", name, err, test.err)
		}
	}
}

func TestFromServer(t *testing.T) {
	in := join(append(AppendHeader(nil, OpText, 5), "hello"...), Ping([]byte("p")), Pong(nil), Close(4001, "no"))
	want := []event{{OpText, "hello"}, {OpPing, "p"}, {OpPong, ""}, {OpClose, "\x0f\xa1no"}}
	for _, chunks := range [][][]byte{{in}, bytewise(in)} {
		p := FromServer()
		got, err := feed(&p, 100, chunks...)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	p := FromServer()
	if _, err := feed(&p, 100, raw(final|text, "x")); !errors.Is(err, ErrMasked) {
		t.Errorf("masked: %v", err)
	}
}

// The handler's error ends it, and nothing more is delivered.
func TestHandlerError(t *testing.T) {
	want := errors.New("enough")
	calls := 0
	var p Parser
	err := p.Feed(join(raw(final|text, "a"), raw(final|text, "b")), 10, func(Op, []byte) error { calls++; return want })
	if calls != 1 || !errors.Is(err, want) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// An idle socket's parser is small; a partial message costs what came of it,
// not what it claims to be; whole ones cost nothing.
func TestMemory(t *testing.T) {
	if n := unsafe.Sizeof(Parser{}); n > 56 {
		t.Errorf("a Parser takes %d bytes", n)
	}
	var p Parser
	whole := raw(final|text, strings.Repeat("x", 60_000))
	if _, err := feed(&p, 64<<10, whole[:100]); err != nil {
		t.Fatal(err)
	}
	if c := cap(p.buf); c == 0 || c > 1024 {
		t.Errorf("%d bytes are held for the first 92 of 60,000", c)
	}
	if got, err := feed(&p, 64<<10, whole[100:]); err != nil || len(got) != 1 || p.buf != nil {
		t.Errorf("%d messages, %v; buffer of %d bytes kept", len(got), err, cap(p.buf))
	}

	in := join(raw(final|text, "hello"), raw(final|ping, "x"), raw(final|blob, string(make([]byte, 1000))))
	b := make([]byte, len(in))
	count := 0
	var refused error
	fn := func(Op, []byte) error { count++; return refused }
	n := testing.AllocsPerRun(100, func() {
		copy(b, in)
		if err := p.Feed(b, 64<<10, fn); err != nil {
			t.Error(err)
		}
	})
	if n != 0 || count != 303 {
		t.Errorf("%v allocations for whole frames, %d of 303 delivered", n, count)
	}
}

// Text that can't become UTF-8 any more is told at once, and no other.
func TestValidSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b []byte
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			part := rapid.SampledFrom([]string{"a", "ü", "€", "😀", "\x80", "\xc0", "\xe2\x82", "\xed\xa0", "\xf0\x9f", "\xf4\x90", "\xff"}).Draw(t, "part")
			b = append(b, part...)
		}
		for from, valid := 0, true; from < len(b) && valid; {
			to := rapid.IntRange(from+1, len(b)).Draw(t, "to")
			// It can still become UTF-8 if some end makes it so.
			valid = false
			for _, end := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xbf", "\xbf\x80", "\xbf\x80\x80", "\x90", "\x90\x80", "\x90\x80\x80"} {
				valid = valid || utf8.Valid(append(bytes.Clone(b[:to]), end...))
			}
			if got := validSince(b[:to], from); got != valid {
				t.Fatalf("%q from %d: %v", b[:to], from, got)
			}
			from = to
		}
	})
}

// Between two messages a Parser may be forgotten, and only there.
func TestIdle(t *testing.T) {
	messages := [][]byte{
		join(raw(text, "ab"), raw(final|ping, "p"), raw(cont, "c"), raw(final|cont, "d")),
		raw(final|pong, "abc"),
		raw(final|rsv1Bit|text, "\x00"),
		join(raw(rsv1Bit|blob, ""), raw(final|cont, "\x00")),
		raw(final|blob, string(make([]byte, 300))),
	}
	p := FromClient(true)
	for i, m := range messages {
		for n := range m {
			if p.Idle() != (n == 0) {
				t.Errorf("message %d, after %d of %d bytes: %v", i, n, len(m), p.Idle())
			}
			if _, err := feed(&p, 1000, m[n:n+1]); err != nil {
				t.Fatal(err)
			}
		}
		if !p.Idle() || p.buf != nil {
			t.Errorf("after message %d: idle %v, %d bytes held", i, p.Idle(), cap(p.buf))
		}
	}
	for name, last := range map[string][]byte{"close": raw(final|closing, ""), "error": {0xff, 0xff}} {
		p := FromClient(true)
		_, _ = feed(&p, 100, last)
		if p.Idle() {
			t.Errorf("idle after %s", name)
		}
	}
}
