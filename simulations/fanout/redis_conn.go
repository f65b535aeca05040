package fanout

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// redisConn is a connection for commands. Safe for concurrent use.
type redisConn struct {
	mu   sync.Mutex
	conn net.Conn // guarded by mu
	rest []byte   // guarded by mu
}

func dialRedis(ctx context.Context, addr string) (*redisConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &redisConn{conn: conn}
	if _, err := c.do("PING"); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// do gives a command and waits for its reply.
func (c *redisConn) do(args ...string) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(appendCommand(nil, args...)); err != nil {
		return nil, err
	}
	for {
		e, used, err := parseReply(c.rest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", args[0], err)
		}
		if used > 0 {
			c.rest = bytes.Clone(c.rest[used:])
			return e, nil
		}
		buf := make([]byte, 16<<10)
		n, err := c.conn.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", args[0], err)
		}
		c.rest = append(c.rest, buf[:n]...)
	}
}

func (c *redisConn) close() { _ = c.conn.Close() }
