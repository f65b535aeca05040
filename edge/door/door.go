package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/transport"
	"selvedge/edge/websocket"
)

const (
	// Reserve is how many connections are held beyond Config.Limit, so that a
	// full edge still answers health checks, and says that it is full.
	Reserve = 256
	// MaxHandshakes is how many may be pending on loops, and MaxGoroutines where
	// each is a goroutine, unless Config.MaxHandshakes says otherwise.
	MaxHandshakes = 16384
	MaxGoroutines = 4096
	// Timeout is what a handshake may take, unless Config.Timeout says otherwise.
	Timeout = 10 * time.Second
)

// Result is how an attempt to connect ended.
type Result string

// The results. Connections that are answered by the HTTP server, and those that
// go without having sent anything, have none.
const (
	Taken    Result = "ok"
	Full     Result = "full"    // no room for a connection: closed at accept
	Busy     Result = "busy"    // too many handshakes at once: closed
	Shed     Result = "shed"    // far more than Config.Rate come: closed at accept
	Refused  Result = "rate"    // more than Config.Rate ask for a socket: 503
	Failed   Result = "failed"  // went in the middle, or could not be handed on
	TimedOut Result = "timeout" // closed: took longer than Config.Timeout
	BadTLS   Result = "tls"     // the TLS handshake failed
	BadProxy Result = "proxy"   // no PROXY v2 header where there must be one
)

// Config of a Door. It is not modified.
type Config struct {
	// Path is where sockets are asked for, such as /v1/socket. Required.
	Path string
	// Check says what a request for a socket comes to; an error means that the
	// HTTP server answers it. Required.
	Check func(*http.Request) (websocket.Agreement, error)
	// Open says whether sockets are taken now; if not, the HTTP server answers.
	// nil = always.
	Open func() bool
	// Take is given each client that has shaken hands and was answered so; it
	// hands it on by Arrival.Enter. It is called on several goroutines, and must
	// not block. Required.
	Take func(*Arrival) error
	// HTTP serves what is no socket. The door runs and closes it. Required.
	HTTP *http.Server

	// Limit is the most connections: sockets, handshakes, and those of the HTTP
	// server. Past it and Reserve, connections are closed at accept. 0 = any
	// number.
	Limit int
	// Sockets is how many there are at present; nil = none.
	Sockets func() int
	// MaxHandshakes bounds those that are pending; 0 = MaxHandshakes or
	// MaxGoroutines.
	MaxHandshakes int
	// Rate is how many sockets are taken per second, and Burst how many at once
	// after a while with fewer. For more than that there is a line, in which those
	// who come back go first; who finds no place in it is answered 503 with
	// Retry-After, and connections, of which four times as many are taken, with TLS
	// twice, are closed at accept, before TLS. Rate 0 = any number. Burst 0 = Rate;
	// a tenth of Rate is the least that makes sense.
	Rate  float64
	Burst int
	// Timeout is what a handshake may take from accept to the end of the
	// request's head, TLS included; 0 = Timeout.
	Timeout time.Duration

	// Proxy wants a PROXY v2 header in front of everything.
	Proxy bool
	// ProxyFrom says who may send one; all others are closed. None = anyone.
	ProxyFrom []netip.Prefix
	// TLS is spoken by clients; nil = plain TCP.
	TLS *tls.Config

	// Loops accept connections, which they share; the door runs them. None = a
	// goroutine per handshake. They can't be used with TLS.
	Loops []transport.Acceptor

	// Result is told of each result, on several goroutines; nil = nobody wants
	// to know.
	Result func(Result)
	// Logger; nil = silence.
	Logger *slog.Logger
}

func (cfg Config) withDefaults() Config {
	if cfg.Open == nil {
		cfg.Open = func() bool { return true }
	}
	if cfg.Sockets == nil {
		cfg.Sockets = func() int { return 0 }
	}
	if cfg.MaxHandshakes <= 0 {
		if cfg.MaxHandshakes = MaxGoroutines; len(cfg.Loops) > 0 {
			cfg.MaxHandshakes = MaxHandshakes
		}
	}
	if cfg.Burst <= 0 {
		cfg.Burst = max(int(cfg.Rate), 1)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = Timeout
	}
	if cfg.Result == nil {
		cfg.Result = func(Result) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Door is the way in. Make it by New, and let Run run it.
type Door struct {
	// Fixed.
	cfg   Config
	pages *pages
	now   func() time.Time // the clock of deadlines on loops, and of admission
	most  int              // maxHeld
	gate  *admission       // nil = no limit
	lobby *lobby           // of goroutines; nil = no limit

	pending atomic.Int64 // handshakes
	parsers sync.Pool    // of *parser, for goroutines

	proxyWarned, fullWarned, rateWarned, acceptWarned, takeWarned seldom
}

// New is a Door.
func New(cfg Config) *Door {
	d := &Door{cfg: cfg.withDefaults(), pages: newPages(), now: time.Now, most: maxHeld}
	share := acceptShare
	if d.cfg.TLS != nil {
		share = tlsAcceptShare
	}
	d.gate = newAdmission(d.cfg.Rate, d.cfg.Burst, share)
	d.parsers.New = func() any { return newParser() }
	return d
}

// Run accepts connections from ln until ctx ends. Then it closes ln, the
// handshakes that are pending, and the HTTP server, and returns nil. It runs
// once.
func (d *Door) Run(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	d.pages.addr = ln.Addr()
	g, ctx := errgroup.WithContext(ctx)
	var err error
	if len(d.cfg.Loops) > 0 {
		err = d.runLoops(ctx, g, ln)
	} else {
		g.Go(func() error { return d.runGoroutines(ctx, ln) })
	}
	if err != nil {
		return err
	}
	g.Go(func() error {
		if err := d.cfg.HTTP.Serve(d.pages); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("door: HTTP server: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		_ = d.cfg.HTTP.Close() // and d.pages with it
		return nil
	})
	return g.Wait()
}

// Handshakes is how many are pending. Safe for concurrent use.
func (d *Door) Handshakes() int { return int(d.pending.Load()) }

// Waiting is how many clients wait for their socket. Safe for concurrent use.
func (d *Door) Waiting() int {
	if d.gate == nil {
		return 0
	}
	return int(d.gate.waiting.Load())
}

// Admit says whether a socket may be taken that the HTTP server was asked for,
// and counts it against Config.Rate. Safe for concurrent use.
func (d *Door) Admit() bool { return d.gate.admit(d.now()) }

// Again is when to come again if one is told now not to: a random time, so that
// not all come together; 0 = nobody has been refused lately. Safe for concurrent
// use.
func (d *Door) Again() time.Duration { return d.gate.again(d.now()) }

// admit says whether one more connection is taken. But for the bucket's, it asks
// for no lock: what comes at the same moment on another loop may be one too many.
func (d *Door) admit() bool {
	held := int(d.pending.Load() + d.pages.held.Load())
	switch {
	case d.cfg.Limit > 0 && held+d.cfg.Sockets() >= d.cfg.Limit+Reserve:
		d.cfg.Result(Full)
		if d.fullWarned.now() {
			d.cfg.Logger.Warn("this edge is full: connections are closed at accept", "limit", d.cfg.Limit, "reserve", Reserve)
		}
	case int(d.pending.Load()) >= d.cfg.MaxHandshakes:
		d.cfg.Result(Busy)
		if d.fullWarned.now() {
			d.cfg.Logger.Warn("too many handshakes at once: connections are closed at accept", "limit", d.cfg.MaxHandshakes)
		}
	case !d.gate.accept(d.now()):
		d.refused(Shed)
	default:
		return true
	}
	return false
}

// refused counts who is refused for the sake of Config.Rate.
func (d *Door) refused(r Result) {
	d.cfg.Result(r)
	if d.rateWarned.now() {
		d.cfg.Logger.Warn("more sockets are asked for than are taken per second: some are told to come again; that is not mentioned again for a minute",
			"rate", d.cfg.Rate, "burst", d.cfg.Burst)
	}
}

// newLine is one of so many lines.
func (d *Door) newLine(lines int) *line { return newLine(d.gate, d.cfg.MaxHandshakes/2, lines) }

// trusts says whether addr may send a PROXY header.
func (d *Door) trusts(addr netip.Addr) bool {
	for _, p := range d.cfg.ProxyFrom {
		if p.Contains(addr) {
			return true
		}
	}
	return len(d.cfg.ProxyFrom) == 0
}

// fail counts a handshake that ended badly, and tells those who look for it.
func (d *Door) fail(r Result, client netip.AddrPort, why error) {
	d.cfg.Result(r)
	if r == BadProxy && d.proxyWarned.now() {
		d.cfg.Logger.Warn("a connection without a PROXY v2 header that counts was closed; others are not mentioned for a minute", "client", client, "why", why)
		return
	}
	d.cfg.Logger.Debug("a handshake failed", "result", string(r), "client", client, "why", why)
}

// notTaken counts a client that was answered and could not be handed on: that
// is our fault, not the client's.
func (d *Door) notTaken(client netip.AddrPort, why error) {
	d.cfg.Result(Failed)
	if d.takeWarned.now() {
		d.cfg.Logger.Warn("a socket was not taken; others are not mentioned for a minute", "client", client, "err", why)
	}
}

// seldom lets one in a minute through, by the monotonic clock: what strangers can
// cause must not fill the log, nor be hidden when the wall clock is set back.
type seldom struct{ last atomic.Pointer[time.Time] }

func (s *seldom) now() bool {
	now, last := time.Now(), s.last.Load()
	return (last == nil || now.Sub(*last) >= time.Minute) && s.last.CompareAndSwap(last, &now)
}
