package fanout

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// tcpPair is a connection over the loopback.
func tcpPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- nc
	}()
	theirs, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return <-accepted, theirs
}

// hello is who starts a session as soon as a client says anything.
type hello struct {
	rooms   []*cache.Channel
	at      []wire.Seq
	welcome Packets
	started chan struct{} // one for each session
}

func (h *hello) Message(k *Socket, _ []byte) {
	k.Start(&Start{
		User: k.Session.(wire.UserID), Rooms: k.shard.numbers.Rooms(h.rooms), At: h.at, Welcome: h.welcome[k.Codec()],
	})
	h.started <- struct{}{}
}

func (h *hello) Closed(*Socket) {}

// listen reads frames off nc until the one at last, checks that they are those
// of one channel from 1 on, and reports.
func listen(nc net.Conn, codec wire.Codec, last wire.Seq) error {
	parser := websocket.FromServer()
	buf := make([]byte, 64<<10)
	for next := wire.Seq(1); next <= last; {
		if err := nc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		n, err := nc.Read(buf)
		if err != nil {
			return fmt.Errorf("before frame %d: %w", next, err)
		}
		err = parser.Feed(buf[:n], 4<<20, func(op websocket.Op, payload []byte) error {
			var m message
			if op == websocket.OpPing {
				return nil
			}
			if err := codec.Decode(payload, &m); err != nil {
				return err
			}
			if m.T != wire.TMessage {
				return nil
			}
			if m.Seq != next || m.Back {
				return fmt.Errorf("frame %d, back %v, after %d", m.Seq, m.Back, next-1)
			}
			next++
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// On epoll and real sockets, over several shards: everybody gets every frame
// once and in order, those included that read only when all was sent.
func TestEpollDeliversToQuickAndSlow(t *testing.T) {
	const frames = 300
	loops := make([]transport.Loop, 2)
	for i := range loops {
		l, err := transport.NewEpoll(transport.Config{SendBuffer: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		loops[i] = l
	}
	h := &hello{started: make(chan struct{}, 100), at: make([]wire.Seq, rigLogs)}
	r := newRig(t, rigConfig{Config: Config{Budget: 64 << 10}, loops: loops})
	for _, s := range r.e.shards { // nobody has connected yet
		s.e.cfg.Sessions = h
	}
	defer r.stop()
	a := r.hold(room(0, 0))
	h.rooms = []*cache.Channel{a}
	welcome, err := Encode(wire.Welcome{T: wire.TWelcome})
	if err != nil {
		t.Fatal(err)
	}
	h.welcome = welcome
	done := make(chan error)
	release := make(chan struct{})
	for i := range 8 {
		ours, theirs := tcpPair(t)
		codec := wire.Codec(i % int(wire.Codecs))
		if err := r.e.Attach(ours, nil, websocket.Agreement{Codec: codec}, wire.UserID(fmt.Sprint("u", i/2))); err != nil {
			t.Fatal(err)
		}
		op := websocket.OpBinary
		if codec == wire.JSON {
			op = websocket.OpText
		}
		if _, err := theirs.Write(websocket.AppendMasked(nil, op, []byte("hello"), [4]byte{1, 2, 3, 4})); err != nil {
			t.Fatal(err)
		}
		go func() {
			if i >= 4 {
				<-release
			}
			err := listen(theirs, codec, frames)
			_ = theirs.Close()
			done <- err
		}()
	}
	for range 8 {
		<-h.started
	}
	for seq := range wire.Seq(frames) {
		r.write(a.Name, 4_000)
		if seq%10 == 9 {
			r.bring(0, seq+1)
		}
	}
	for i := range 8 {
		if i == 4 {
			close(release)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for r.e.Sockets() > 0 {
		if ctx.Err() != nil {
			t.Fatalf("%d sockets are left", r.e.Sockets())
		}
		r.inside(func(*shard) {}) // gives the shards a turn
	}
	if r.withheld == 0 {
		t.Error("nobody was slow: the test tests nothing")
	}
}
