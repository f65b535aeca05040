package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"selvedge/edge/websocket"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// greeted is one session, as its client saw it begin.
type greeted struct {
	conn    net.Conn
	took    time.Duration // from the beginning of the connection to the whole welcome
	size    int           // bytes of the welcome's payload, as it came
	plain   int           // and inflated
	welcome wire.Welcome
}

const (
	greetTime = time.Minute
	// largestWelcome bounds what is read, in bytes.
	largestWelcome = 4 << 20
)

// greet connects to the edge at a base URL as a user, in msgpack, and waits for
// the welcome. Close it.
func greet(ctx context.Context, base string, user wire.UserID, compress bool) (*greeted, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: string(user), Expires: now.Add(time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	hello, err := wire.Msgpack.Append(nil, wire.ClientMessage{T: wire.THello, Token: token, Client: "bench/1"})
	if err != nil {
		return nil, err
	}
	d := ws.Dialer{Protocols: []string{wire.Msgpack.Subprotocol()}}
	if compress {
		d.Extensions = append(d.Extensions, (wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}).Option())
	}
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	began := time.Now()
	conn, early, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/v1/socket")
	if err != nil {
		return nil, err
	}
	g := &greeted{conn: conn}
	deadline, _ := ctx.Deadline()
	err = errors.Join(conn.SetDeadline(deadline), ws.WriteFrame(conn, ws.MaskFrame(ws.NewBinaryFrame(hello))))
	if err == nil {
		in := early
		if in == nil {
			in = bufio.NewReader(conn)
		}
		err = g.read(in, began)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hello of %s: %w", user, err), conn.Close())
	}
	return g, nil
}

func (g *greeted) close() { _ = g.conn.Close() } // nothing is left to say

// read takes the first message, which must be the welcome.
func (g *greeted) read(in io.Reader, began time.Time) error {
	h, err := ws.ReadHeader(in)
	if err != nil {
		return err
	}
	if h.OpCode != ws.OpBinary || !h.Fin || h.Length > largestWelcome {
		return fmt.Errorf("a frame %d of %d bytes where a welcome was due", h.OpCode, h.Length)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(in, payload); err != nil {
		return err
	}
	g.took, g.size = time.Since(began), len(payload)
	if h.Rsv1() {
		if payload, err = websocket.AppendInflated(nil, payload, largestWelcome); err != nil {
			return err
		}
	}
	g.plain = len(payload)
	if err := wire.Msgpack.Decode(payload, &g.welcome); err != nil {
		return err
	}
	if g.welcome.T != wire.TWelcome {
		return fmt.Errorf("a %q where a welcome was due", g.welcome.T)
	}
	return nil
}
