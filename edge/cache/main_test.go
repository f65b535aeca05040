package cache

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"selvedge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failer is a test of testing or of rapid.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// frameOf is a frame of ch whose data is size bytes of text.
func frameOf(t failer, ch wire.Channel, p wire.LogID, seq, prev wire.Seq, size int) *Frame {
	t.Helper()
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"text":%q}`, seq, strings.Repeat("x", size)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFrame(wire.AppendFrame(nil, p, seq, prev, wire.AppendBody(nil, &wire.Post{Ch: ch, TS: 1, Data: data})))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func seqs(frames []*Frame) []wire.Seq {
	out := make([]wire.Seq, 0, len(frames))
	for _, f := range frames {
		out = append(out, f.Seq)
	}
	return out
}

// inLog is the nth channel name whose log is p.
func inLog(p wire.LogID, logs, n int) wire.Channel {
	for i := 0; ; i++ {
		if ch := wire.RoomChannel(wire.RoomID(fmt.Sprintf("r%d", i))); wire.LogOf(ch, logs) == p {
			if n == 0 {
				return ch
			}
			n--
		}
	}
}

// line appends frames at seqs, one after the other, to ch, and returns them.
func line(t testing.TB, ch *Channel, size int, at ...wire.Seq) []*Frame {
	t.Helper()
	var out []*Frame
	for _, seq := range at {
		f := frameOf(t, ch.Name, ch.P, seq, ch.log.Pos(), size)
		out = append(out, ch.log.Append([]*Frame{f}, seq)...)
	}
	return out
}

func fillOf(floor, upto, gone wire.Seq, frames ...*Frame) *wire.Fill {
	f := &wire.Fill{Floor: floor, Upto: upto, Gone: gone}
	for _, fr := range frames {
		f.Frames = append(f.Frames, wire.Data(fr.Bytes))
	}
	return f
}
