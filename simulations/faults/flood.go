package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"selvedge/wire"
)

// flood is a socket that asks without end and never reads an answer.
type flood struct {
	user, edge string

	requests int           // that the edge took
	stuck    bool          // the edge stopped reading
	lasted   time.Duration // until the edge closed it, or for as long as it was to
	closed   bool
}

func newFlood(user, edge string) *flood { return &flood{user: user, edge: edge} }

func (f *flood) String() string {
	what := "the edge took them all"
	switch {
	case f.closed:
		what = "then the edge closed it"
	case f.stuck:
		what = "then the edge read no more of it"
	}
	return fmt.Sprintf("a flood of history: %d requests in %v, %s", f.requests, f.lasted.Round(time.Millisecond), what)
}

// during asks for a channel's history while d passes, and returns the most
// memory that the process pid had.
func (f *flood) during(ctx context.Context, pid int, ch wire.Channel, d time.Duration) (int64, error) {
	conn, err := f.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	s := sample(pid)
	began := time.Now()
	end := began.Add(d)
	for err == nil && time.Now().Before(end) && ctx.Err() == nil {
		var b []byte
		b, err = wire.Msgpack.Append(nil, &wire.ClientMessage{T: wire.THistory, ID: uint64(f.requests + 1), Ch: ch, Limit: 100})
		if err != nil {
			break
		}
		if err = conn.SetWriteDeadline(end); err != nil {
			break
		}
		if err = wsutil.WriteClientBinary(conn, b); err == nil {
			f.requests++
		}
	}
	f.lasted = time.Since(began)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		f.stuck, err = true, nil
	} else if err != nil { // refused as too slow is as good as not read
		f.closed, err = true, nil
	}
	pauseErr := pause(ctx, time.Until(end))
	peak, sampleErr := s.stop()
	return peak, errors.Join(err, pauseErr, sampleErr)
}

// open connects and says hello.
func (f *flood) open(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(f.edge)
	if err != nil {
		return nil, err
	}
	dialer := ws.Dialer{Protocols: []string{wire.Msgpack.Subprotocol()}}
	conn, _, _, err := dialer.Dial(ctx, "ws://"+u.Host+"/v1/socket")
	if err != nil {
		return nil, err
	}
	token, err := sign(wire.UserID(f.user))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	hello, err := wire.Msgpack.Append(nil, &wire.ClientMessage{T: wire.THello, Token: token, Client: "flood/1"})
	if err == nil {
		err = wsutil.WriteClientBinary(conn, hello)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
