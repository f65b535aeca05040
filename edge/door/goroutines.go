package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"selvedge/edge/transport"
)

const (
	// readSize is the first buffer of a head, in bytes. Usual heads fit.
	readSize = 4 << 10
	// firstPause and lastPause bound the wait after a failed accept.
	firstPause, lastPause = 5 * time.Millisecond, time.Second
)

var errEnding = errors.New("the door closes")

// runGoroutines accepts from ln until ctx ends, and waits for the handshakes.
func (d *Door) runGoroutines(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	var running sync.WaitGroup
	defer running.Wait()
	if l := d.newLine(1); l != nil {
		d.lobby = newLobby(l, d.now)
		running.Go(func() { d.lobby.run(ctx) })
	}
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("door: accept: %w", err)
		case err != nil: // for want of descriptors, say: it may pass
			d.acceptFailed(err)
			pause = min(max(2*pause, firstPause), lastPause)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		if !d.admit() {
			_ = nc.Close()
			continue
		}
		d.pending.Add(1)
		running.Go(func() { d.shake(ctx, nc) })
	}
}

// handshake is a pending one that has its own goroutine.
type handshake struct {
	nc     net.Conn // as accepted, or the TLS on it
	client netip.AddrPort
	// spoke says that the client has begun something: health checks of load
	// balancers stop short of it.
	spoke bool
}

// shake does a whole handshake; nc is closed or handed on when it returns.
func (d *Door) shake(ctx context.Context, nc net.Conn) {
	defer d.pending.Add(-1)
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	h := &handshake{nc: nc}
	r, err := d.shakeHands(ctx, h, stop)
	if err == nil {
		if r != "" {
			d.cfg.Result(r)
		}
		return
	}
	_ = nc.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		r, err = TimedOut, errTimeout
	}
	if ctx.Err() != nil || !h.spoke && r == Failed {
		return // it is we who go, or the client never asked for anything
	}
	if !h.client.IsValid() {
		h.client = addrPort(nc.RemoteAddr())
	}
	d.fail(r, h.client, err)
}

// shakeHands gives h to the engine or the HTTP server, or says why not. stop
// keeps the door from closing the connection any more, if that has not begun.
func (d *Door) shakeHands(ctx context.Context, h *handshake, stop func() bool) (Result, error) {
	deadline := time.Now().Add(d.cfg.Timeout)
	if err := h.nc.SetDeadline(deadline); err != nil {
		return Failed, err
	}
	if d.cfg.Proxy {
		if r, err := d.readProxy(h); err != nil {
			return r, err
		}
	}
	if d.cfg.TLS != nil {
		if err := d.startTLS(ctx, h, deadline); err != nil {
			if errors.Is(err, io.EOF) {
				return Failed, err // before its first byte
			}
			return BadTLS, err
		}
	}
	p := d.parsers.Get().(*parser)
	defer d.parsers.Put(p)
	b, a, err := d.readHead(h, p)
	switch {
	case errors.Is(err, errRefused):
		d.refuse(h.nc, d.gate.again(d.now()))
		return "", nil
	case err != nil:
		return Failed, err
	}
	if a != nil {
		if back := comesBack(a.Request); d.lobby != nil && !d.lobby.enter(ctx, back) {
			if ctx.Err() != nil {
				return Failed, errEnding
			}
			d.refuse(h.nc, d.gate.refused(d.now(), back))
			return "", nil
		}
		if _, err := h.nc.Write(a.agreed.AppendAnswer(nil)); err != nil {
			return Failed, err
		}
	}
	if !stop() {
		return Failed, errEnding
	}
	if err := h.nc.SetDeadline(time.Time{}); err != nil {
		return Failed, err
	}
	switch {
	case a != nil:
		if err := d.cfg.Take(a); err != nil {
			d.notTaken(h.client, err)
			return "", nil // which closed it
		}
		return Taken, nil
	case !d.pages.give(h.nc, b, h.client):
		return Busy, nil
	}
	return "", nil
}

// refuse answers a client that it shall come again after a time, and closes nc.
func (d *Door) refuse(nc net.Conn, after time.Duration) {
	_, _ = nc.Write(appendRefusal(nil, after))
	_ = nc.Close()
	d.refused(Refused)
}

// readHead reads until it is clear what the client wants: an Arrival is a
// socket's, nil the HTTP server's, which is to read b first; errRefused = it is
// to come again. b is valid until p is used again.
func (d *Door) readHead(h *handshake, p *parser) (b []byte, a *Arrival, err error) {
	b = p.space()
	for searched := 0; ; {
		b = slices.Grow(b, 1)
		n, err := h.nc.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if n > 0 {
			h.spoke = true
			verdict, r, agreed, end := d.study(p, b, searched)
			switch verdict {
			case page:
				return b, nil, nil
			case socket:
				a := &Arrival{Request: r, agreed: agreed, nc: h.nc, client: h.client}
				if end < len(b) {
					a.early = slices.Clone(b[end:])
				}
				return b, a, nil
			case refuse:
				return nil, nil, errRefused
			case wait:
				searched = len(b)
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// readProxy reads the PROXY header, and not a byte more: TLS comes next.
func (d *Door) readProxy(h *handshake) (Result, error) {
	if !d.trusts(addrPort(h.nc.RemoteAddr()).Addr()) {
		return BadProxy, errProxyForeign
	}
	var b []byte
	for need := proxyStart; len(b) < need; {
		had := len(b)
		b = append(b, make([]byte, need-had)...)
		n, err := io.ReadFull(h.nc, b[had:])
		if h.spoke = had+n > 0; err != nil {
			return Failed, err
		}
		if need, err = proxyNeed(b); err != nil {
			return BadProxy, err
		}
	}
	var err error
	if h.client, err = proxySource(b); err != nil {
		return BadProxy, err
	}
	h.spoke = false
	return "", nil
}

// startTLS shakes TLS' hands.
func (d *Door) startTLS(ctx context.Context, h *handshake, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	bare := h.nc
	conn := transport.NewTLS(bare, d.cfg.TLS)
	err := conn.HandshakeContext(ctx)
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && looksLikeHTTP(plain.RecordHeader) {
		// As net/http says it: people do try.
		_, _ = io.WriteString(bare, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks TLS: use https:// or wss://.\n")
	}
	if err != nil {
		return err
	}
	h.nc = conn
	return nil
}

func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
