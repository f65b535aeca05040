package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"selvedge/internal/identity"
	"selvedge/wire"
)

// asker is a client that asks for documents, many at a time. Its questions are
// encoded beforehand, and each answer is compared with the bytes that it must be,
// so that it takes little of the CPUs that it shares with the edge.
type asker struct {
	conn net.Conn
	in   *bufio.Reader
	asks []question
}

// question is one get, and its answer.
type question struct {
	frame  []byte // masked, as it is sent
	answer []byte // the payload; nil = not known yet
}

// newAsker connects a user, and waits for the welcome.
func newAsker(ctx context.Context, url string, user wire.UserID) (*asker, error) {
	d := ws.Dialer{Protocols: []string{wire.Msgpack.Subprotocol()}}
	conn, early, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+"/v1/socket")
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	a := &asker{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
	if early != nil {
		a.in = bufio.NewReaderSize(io.MultiReader(early, conn), 64<<10)
	}
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: string(user), Expires: now.Add(time.Hour)}, now)
	if err == nil {
		err = a.say(wire.ClientMessage{T: wire.THello, Token: token})
	}
	if err == nil {
		_, err = a.expect(wire.TWelcome)
	}
	return a, err
}

func (a *asker) say(m wire.ClientMessage) error {
	b, err := wire.Msgpack.Append(nil, m)
	if err != nil {
		return err
	}
	_, err = a.conn.Write(masked(b))
	return err
}

// masked is the frame of a message.
func masked(payload []byte) []byte {
	mask := [4]byte{1, 2, 3, 4}
	var b bytes.Buffer
	h := ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Mask: mask, Length: int64(len(payload))}
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err) // a buffer takes everything
	}
	ws.Cipher(payload, mask, 0)
	b.Write(payload)
	return b.Bytes()
}

// expect is the next message of a type; others are passed over.
func (a *asker) expect(t string) ([]byte, error) {
	for {
		b, err := a.next()
		if err != nil {
			return nil, err
		}
		var m struct {
			T       string `json:"t"`
			Message string `json:"message"`
		}
		if err := wire.Msgpack.Decode(b, &m); err != nil {
			return nil, err
		}
		switch m.T {
		case t:
			return bytes.Clone(b), nil
		case wire.TError:
			return nil, fmt.Errorf("the edge says: %s", m.Message)
		}
	}
}

// next is the payload of the next message, valid until the next call. What isn't
// a message is answered, or passed over.
func (a *asker) next() ([]byte, error) {
	for {
		op, payload, err := a.frame()
		if err != nil {
			return nil, err
		}
		if op == ws.OpBinary {
			return payload, nil
		}
		if op == ws.OpClose {
			return nil, fmt.Errorf("the edge closed the socket: %q", payload)
		}
		if op == ws.OpPing {
			if _, err := a.conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(bytes.Clone(payload))))); err != nil {
				return nil, err
			}
		}
	}
}

// frame reads a frame of a server; its payload is valid until the next call.
func (a *asker) frame() (ws.OpCode, []byte, error) {
	h, err := a.in.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	op, size, n := ws.OpCode(h[0]&15), 2, int(h[1])
	switch n {
	case 126:
		size = 4
		if h, err = a.in.Peek(size); err == nil {
			n = int(h[2])<<8 | int(h[3])
		}
	case 127:
		size = 10
		if h, err = a.in.Peek(size); err == nil {
			for n = 0; len(h) > 2; h = h[:len(h)-1] {
				n |= int(h[len(h)-1]) << (8 * (10 - len(h)))
			}
		}
	}
	if err != nil {
		return 0, nil, err
	}
	if size+n <= a.in.Size() {
		b, err := a.in.Peek(size + n)
		if err == nil {
			_, err = a.in.Discard(size + n) // what was peeked at stays until the next read
		}
		return op, b[min(size, len(b)):], err
	}
	if _, err := a.in.Discard(size); err != nil {
		return 0, nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(a.in, b)
	return op, b, err
}

// prepare makes n questions of size documents each, beginning with the first-th
// user, and learns their answers.
func (a *asker) prepare(first, n, size, users int) error {
	a.asks = make([]question, n)
	for i := range a.asks {
		m := wire.ClientMessage{T: wire.TGet, ID: uint64(i + 1)}
		for k := range size {
			m.Objects = append(m.Objects, "user:"+string(teamUser((first+i*size+k)%users)))
		}
		b, err := wire.Msgpack.Append(nil, m)
		if err != nil {
			return err
		}
		a.asks[i].frame = masked(b)
		if _, err := a.conn.Write(a.asks[i].frame); err != nil {
			return err
		}
		if b, err = a.expect(wire.TReply); err != nil {
			return err
		}
		var r wire.Objects
		if err := wire.Msgpack.Decode(b, &r); err != nil {
			return err
		}
		if r.ID != m.ID || len(r.Objects) != size || r.Stale {
			return fmt.Errorf("question %d has %d of %d documents: %s", i, len(r.Objects), size, wire.Data(b))
		}
		a.asks[i].answer = b
	}
	return nil
}

// ask asks everything, depth questions in one write, over and over until a
// moment, and returns how many were answered.
func (a *asker) ask(until time.Time, depth int) (answered int, err error) {
	var batches [][]byte
	var starts []int
	for i := 0; i < len(a.asks); i += depth {
		var b []byte
		for _, q := range a.asks[i:min(i+depth, len(a.asks))] {
			b = append(b, q.frame...)
		}
		batches, starts = append(batches, b), append(starts, i)
	}
	for n := 0; time.Now().Before(until); n++ {
		n %= len(batches)
		if _, err := a.conn.Write(batches[n]); err != nil {
			return answered, err
		}
		for i := starts[n]; i < min(starts[n]+depth, len(a.asks)); i++ {
			if err := a.check(i); err != nil {
				return answered, err
			}
			answered++
		}
	}
	return answered, nil
}

// check reads the answer of question i: answers come in the order of questions,
// since all that is asked for is at hand.
func (a *asker) check(i int) error {
	b, err := a.reply()
	if err == nil && !bytes.Equal(b, a.asks[i].answer) {
		err = fmt.Errorf("question %d was answered by %s", i, wire.Data(b))
	}
	return err
}

// reply is the next message but for the cursors that come with the pings.
func (a *asker) reply() ([]byte, error) {
	for {
		b, err := a.next()
		if err != nil || !bytes.HasPrefix(b, cursorHead) {
			return b, err
		}
	}
}

// cursorHead begins a cursor message in msgpack: a map of three, "t", "cursor".
var cursorHead = []byte("\x83\xa1t\xa6cursor")

// pace asks one question every so often until a moment, whether the last was
// answered or not, and returns how long each took from when it was due.
func (a *asker) pace(start time.Time, every time.Duration, n int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	failed := make(chan error, 1)
	go func() {
		for sent := 0; sent < n; {
			due := min(int(time.Since(start)/every)+1, n)
			for ; sent < due; sent++ {
				if _, err := a.conn.Write(a.asks[sent%len(a.asks)].frame); err != nil {
					failed <- err
					return
				}
			}
			time.Sleep(time.Until(start.Add(time.Duration(sent) * every)))
		}
		failed <- nil
	}()
	for i := range took {
		if err := a.check(i % len(a.asks)); err != nil {
			_ = a.conn.Close() // ends the other half
			return nil, errors.Join(err, <-failed)
		}
		took[i] = time.Since(start.Add(time.Duration(i) * every))
	}
	return took, <-failed
}
