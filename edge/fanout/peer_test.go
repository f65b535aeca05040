package fanout

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// peer is the other end of a socket: it notes all that it hears.
type peer struct {
	r     *rig
	nc    net.Conn
	codec wire.Codec
	gate  chan struct{} // capacity 1: holds a token while the client reads
	pongs chan []byte   // on their way, as in a kernel's buffer; closed by read

	bytes atomic.Int64 // read

	mu     sync.Mutex
	sock   *Socket  // guarded by mu until the hello has arrived
	said   []string // what the session got of it
	closed int      // calls of Closed
	heard  []message
	pings  int
	onMsg  func(message)

	pongsHeard []string
	mute       bool // pings are not answered
}

// message is any message of the server, as far as tests look at it.
type message struct {
	T       string                    `json:"t"`
	Ch      wire.Channel              `json:"ch"`
	P       wire.LogID                `json:"p"`
	Seq     wire.Seq                  `json:"seq"`
	Prev    wire.Seq                  `json:"prev"`
	From    any                       `json:"from"`
	To      wire.Seq                  `json:"to"`
	V       wire.Seq                  `json:"v"`
	At      map[string]wire.Seq       `json:"at"`
	ID      uint64                    `json:"id"`
	Back    bool                      `json:"back"`
	Data    any                       `json:"data"`
	Cur     *wire.Cursor              `json:"cursor"`
	AfterMS int                       `json:"after_ms"`
	Edges   []wire.EdgeRef            `json:"edges"`
	Refs    []string                  `json:"refs"`
	Key     string                    `json:"key"`
	Doc     uint32                    `json:"doc"`  // an object's id
	Late    map[wire.Channel]wire.Seq `json:"late"` // of a focus's reply, as the next two
	Show    []wire.Channel            `json:"show"`
	All     bool                      `json:"all"`
}

func (m message) from() wire.Seq {
	var n wire.Seq
	_, _ = fmt.Sscan(fmt.Sprint(m.From), &n)
	return n
}

func (m message) String() string {
	switch m.T {
	case wire.TMessage:
		if m.Back {
			return fmt.Sprint(m.Ch, " ", m.Seq, " back")
		}
		return fmt.Sprint(m.Ch, " ", m.Seq)
	case wire.TLive:
		return fmt.Sprint("live ", m.Ch, " ", m.Seq)
	case wire.TJoined:
		return fmt.Sprint("joined ", m.Ch, " ", m.From)
	case wire.TLeft:
		return fmt.Sprint("left ", m.Ch)
	case wire.TGap:
		return fmt.Sprint("gap ", m.Ch, " ", m.From, "-", m.To)
	case wire.TReply:
		if m.Late != nil {
			return fmt.Sprint("reply ", m.ID, " ", m.Late)
		}
		return fmt.Sprint("reply ", m.ID, " ", m.Seq)
	case wire.TActivity:
		return fmt.Sprint("activity ", m.Ch, " ", m.Seq)
	case wire.TObject:
		return fmt.Sprint("object ", m.Key, " ", m.V)
	case wire.TCursor:
		return fmt.Sprint("cursor ", m.At, " v", m.V)
	}
	return m.T
}

func newPeer(r *rig, nc net.Conn, codec wire.Codec) *peer {
	c := &peer{r: r, nc: nc, codec: codec, gate: make(chan struct{}, 1), pongs: make(chan []byte, 1000)}
	c.gate <- struct{}{}
	r.fills.Go(c.read)
	r.fills.Go(func() {
		for b := range c.pongs {
			_, _ = nc.Write(b) // fails once the edge has closed
		}
	})
	return c
}

func (c *peer) read() {
	defer close(c.pongs)
	parser := websocket.FromServer().Inflating()
	buf := make([]byte, 4<<10)
	for {
		<-c.gate
		c.gate <- struct{}{}
		n, err := c.nc.Read(buf)
		c.bytes.Add(int64(n))
		if err != nil {
			_ = c.nc.Close()
			return
		}
		if err := parser.Feed(buf[:n], 64<<20, c.hear); err != nil {
			c.r.t.Errorf("the server's bytes: %v", err)
		}
	}
}

func (c *peer) hear(op websocket.Op, payload []byte) error {
	m := message{}
	switch op {
	case websocket.OpPong:
		c.mu.Lock()
		c.pongsHeard = append(c.pongsHeard, string(payload))
		c.mu.Unlock()
		return nil
	case websocket.OpPing:
		c.mu.Lock()
		c.pings++
		mute := c.mute
		c.mu.Unlock()
		if !mute {
			c.pongs <- websocket.AppendMasked(nil, websocket.OpPong, payload, [4]byte{1, 2, 3, 4})
		}
		return nil
	case websocket.OpClose:
		code, _ := websocket.ParseClose(payload)
		m.T = fmt.Sprint("close ", code)
	default:
		if (op == websocket.OpText) != (c.codec == wire.JSON) {
			c.r.t.Errorf("a %s client hears op %d", c.codec, op)
		}
		if err := c.codec.Decode(payload, &m); err != nil {
			c.r.t.Errorf("%q: %v", payload, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, m)
	if c.onMsg != nil {
		c.onMsg(m)
	}
	return nil
}

// send says text in the client's codec's kind of frame.
func (c *peer) send(text string) {
	op := websocket.OpBinary
	if c.codec == wire.JSON {
		op = websocket.OpText
	}
	if _, err := c.nc.Write(websocket.AppendMasked(nil, op, []byte(text), [4]byte{5, 6, 7, 8})); err != nil {
		c.r.t.Errorf("send: %v", err)
	}
}

// deaf stops reading; hears goes on.
func (c *peer) deaf()  { <-c.gate }
func (c *peer) hears() { c.gate <- struct{}{} }

// take is what was heard since the last take, welcome and cursors left out.
func (c *peer) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for _, m := range c.heard {
		if m.T != wire.TWelcome && m.T != wire.TCursor {
			out = append(out, m.String())
		}
	}
	c.heard = nil
	return out
}

// cursors are the cursor messages since the last take.
func (c *peer) cursors() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, m := range c.heard {
		if m.T == wire.TCursor {
			out = append(out, m.String())
		}
	}
	return out
}

// hears checks what was heard since the last time.
func (c *peer) expect(want ...string) {
	c.r.t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, c.take()); diff != "" {
		c.r.t.Errorf("heard:\n%s", diff)
	}
}

// inside runs fn on the shards, and waits for it.
func (r *rig) inside(fn func(*shard)) {
	for _, s := range r.e.shards {
		done := make(chan struct{})
		s.post(mail{fn: func(s *shard) { fn(s); close(done) }})
		<-done
	}
}

// frames are the transcripts of live frames of ch.
func frames(ch wire.Channel, seqs ...wire.Seq) []string {
	var out []string
	for _, s := range seqs {
		out = append(out, fmt.Sprint(ch, " ", s))
	}
	return out
}

func back(ch wire.Channel, seqs ...wire.Seq) []string {
	out := frames(ch, seqs...)
	for i := range out {
		out[i] += " back"
	}
	return out
}

// upTo are the numbers from..to.
func upTo(from, to wire.Seq) []wire.Seq {
	var out []wire.Seq
	for ; from <= to; from++ {
		out = append(out, from)
	}
	return out
}

func TestRigTranscripts(t *testing.T) {
	got := strings.Join(slices.Concat(frames("room:a", upTo(1, 2)...), back("room:a", 3)), ", ")
	if got != "room:a 1, room:a 2, room:a 3 back" {
		t.Error(got)
	}
}
