package log

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxRecord is the largest record of a log: data, and the rest of a post
	// (at most 100 refs of 128 bytes) or of a state record.
	maxRecord = wire.MaxData + 32<<10
	// maxPending is what the server may queue towards one of our connections.
	// It has to exceed what we ask for at once: chunks of followers and readers.
	maxPending = 1 << 30
)

// session is one life of our connections to the logs, and of the embedded
// server.
type session struct {
	kind     kind
	srv      *embedded     // nil if external
	patience time.Duration // of one question about streams
	beat     time.Duration // how often a consumer says that it is alive
	chunk    int           // bytes of one request, at most

	pub    *nats.Conn // appends and their acknowledgements only
	read   *nats.Conn
	acks   *mux
	gets   *mux
	js     jetstream.JetStream // on read
	worked atomic.Bool         // an append was acknowledged
	// telling is set once, by who opens the session for a store with several cores.
	telling atomic.Pointer[telling]

	failOnce sync.Once
	failed   chan struct{} // closed by fail
	cause    error         // set before failed is closed
}

// openSession starts the server, if it is embedded, and connects. peers are the
// other cores of a cluster.
func openSession(cfg *Config, peers *members) (_ *session, err error) {
	s := &session{kind: cfg.kind(), patience: startLimit, beat: pullBeat, chunk: chunkBytes, failed: make(chan struct{})}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	switch s.kind {
	case kindSingle:
		s.srv, err = startServer(cfg)
	case kindCluster:
		s.patience, s.beat = sharedLimit, sharedBeat
		s.srv, err = startMember(cfg, peers)
	case kindExternal:
		// The server's bound of what it queues for us is its operator's. The largest
		// record must fit.
		s.patience, s.beat, s.chunk = sharedLimit, sharedBeat, chunkBytes/2
	}
	if err != nil {
		return nil, err
	}
	if s.pub, err = s.connect(cfg, "publish"); err != nil {
		return nil, err
	}
	if s.acks, err = newMux(s.pub); err != nil {
		return nil, err
	}
	if s.read, err = s.connect(cfg, "read"); err != nil {
		return nil, err
	}
	if s.gets, err = newMux(s.read); err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(s.read); err != nil {
		return nil, fmt.Errorf("connect to the log: %w", err)
	}
	if s.replicated() {
		if err := s.watchLeaders(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// replicated reports whether reads may be answered by a copy that is behind.
func (s *session) replicated() bool { return s.kind != kindSingle }

func (s *session) connect(cfg *Config, name string) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("selvedge " + name),
		// A connection in memory breaks when the server gives up on it. That is rare,
		// and opening all again is the one way to recover that is tested.
		nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) {
			s.fail(unavailable(errors.New("the connection to the log broke")))
		}),
	}
	if s.srv != nil {
		nc, err := nats.Connect("", append(options, nats.InProcessServer(s.srv.server))...)
		if err != nil {
			return nil, fmt.Errorf("connect to the embedded log: %w", err)
		}
		return nc, nil
	}
	return dial(cfg, options)
}

// fail says that this session can't go on. The store opens another.
func (s *session) fail(cause error) {
	s.failOnce.Do(func() {
		s.cause = cause
		close(s.failed)
	})
}

// refused handles an append that the log could not take. A single server is
// opened again then; of several, another will take the next.
func (s *session) refused(err error) {
	if !s.replicated() {
		s.fail(err)
	}
}

// close ends the connections and the server, and waits for it. What waits for
// an answer gets the cause of the failure.
func (s *session) close() {
	s.fail(errClosed)
	if s.acks != nil {
		s.acks.failAll(s.cause)
	}
	if s.gets != nil {
		s.gets.failAll(s.cause)
	}
	if t := s.telling.Load(); t != nil {
		t.flush() // what it still has to tell, if it can
	}
	for _, nc := range []*nats.Conn{s.pub, s.read} {
		if nc != nil {
			nc.Close()
		}
	}
	if s.srv != nil {
		s.srv.stop()
	}
}

// embedded is a server in this process.
type embedded struct {
	server  *server.Server
	options *server.Options // of a member; its routes change
	log     *serverLog
}

func (e *embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// request asks the server for one answer.
func (s *session) request(ctx context.Context, subject string, data []byte, limit time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m, err := s.read.RequestWithContext(ctx, subject, data)
	if err != nil {
		return nil, unavailable(err)
	}
	return m, nil
}
