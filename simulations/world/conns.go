package world

import (
	"context"
	"net"
)

// Drop closes the client's connections under it.
func (c *Client) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close() // it may be closed already
	}
	clear(c.conns)
}

func (c *Client) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	conn, err := c.w.Net.Dial(ctx, c.Host, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = struct{}{}
	return &tracked{conn, c}, nil
}

// tracked is a connection of a client.
type tracked struct {
	net.Conn
	c *Client
}

func (t *tracked) Close() error {
	t.c.mu.Lock()
	delete(t.c.conns, t.Conn)
	t.c.mu.Unlock()
	return t.Conn.Close()
}
