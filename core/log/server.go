package log

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
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
	startLimit = 5 * time.Minute // a full scan after kill -9 takes long on large stores
)

// session is one life of the embedded server with our connections to it.
type session struct {
	srv    *server.Server
	pub    *nats.Conn // appends and their acknowledgements only
	read   *nats.Conn
	acks   *mux
	gets   *mux
	js     jetstream.JetStream // on read
	worked atomic.Bool         // an append was acknowledged

	failOnce sync.Once
	failed   chan struct{} // closed by fail
	cause    error         // set before failed is closed
}

// openSession starts the server and makes the streams. lasts has the end of
// each log; the state log's is the last one.
func openSession(ctx context.Context, cfg *Config) (_ *session, lasts []wire.Seq, err error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "selvedge",
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               filepath.Join(cfg.Dir, "log"),
		// Streams reserve their size limit; what the disk has is for the
		// operator to watch, and a full one is answered with ErrUnavailable.
		JetStreamMaxStore: 1 << 62,
		SyncAlways:        cfg.Sync == SyncAlways,
		MaxPayload:        maxRecord + 4<<10,
		MaxPending:        maxPending,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("configure the embedded log: %w", err)
	}
	srv.SetLoggerV2(serverLog{cfg.Logger}, false, false, false)
	s := &session{srv: srv, failed: make(chan struct{})}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	srv.Start()
	if !srv.ReadyForConnections(startLimit) || !srv.JetStreamEnabled() {
		return nil, nil, fmt.Errorf("the embedded log did not start in %s: see the log", cfg.Dir)
	}
	if s.pub, err = s.connect("publish"); err != nil {
		return nil, nil, err
	}
	if s.acks, err = newMux(s.pub); err != nil {
		return nil, nil, err
	}
	if s.read, err = s.connect("read"); err != nil {
		return nil, nil, err
	}
	if s.gets, err = newMux(s.read); err != nil {
		return nil, nil, err
	}
	if s.js, err = jetstream.New(s.read); err != nil {
		return nil, nil, fmt.Errorf("connect to the embedded log: %w", err)
	}
	for p := range cfg.Logs + 1 {
		last, err := s.makeStream(ctx, streamConfig(cfg, p))
		if err != nil {
			return nil, nil, err
		}
		lasts = append(lasts, last)
	}
	return s, lasts, nil
}

func (s *session) connect(name string) (*nats.Conn, error) {
	// A connection in memory breaks when the server gives up on it. That is rare,
	// and opening all again is the one way to recover that is tested.
	nc, err := nats.Connect("", nats.InProcessServer(s.srv), nats.Name(name), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) {
			s.fail(unavailable(errors.New("the connection to the embedded log broke")))
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded log: %w", err)
	}
	return nc, nil
}

// makeStream makes the stream, or gives the one that there is these limits.
func (s *session) makeStream(ctx context.Context, want jetstream.StreamConfig) (wire.Seq, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	stream, err := s.js.CreateOrUpdateStream(ctx, want)
	if err != nil {
		return 0, fmt.Errorf("open log %s: %w", want.Name, err)
	}
	return wire.Seq(stream.CachedInfo().State.LastSeq), nil
}

// streamConfig is the stream of log p; p == cfg.Logs is the state log.
// DenyDelete and DenyPurge stay off: they can't be taken back, erasure will
// need them, and nobody but this process can reach the server.
func streamConfig(cfg *Config, p int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxMsgs:     -1,
		MaxMsgSize:  maxRecord + 4<<10,
		Replicas:    1,
		AllowDirect: true,
	}
	if p == cfg.Logs {
		c.Name, c.Subjects = stateStream, []string{"s.>"}
		c.MaxBytes, c.MaxMsgsPerSubject = -1, 1
		return c
	}
	c.Name, c.Subjects = streamName(wire.LogID(p)), []string{fmt.Sprintf("f.%d.*", p)}
	c.MaxBytes, c.MaxMsgsPerSubject = cfg.MaxBytes, -1
	c.MaxAge, c.Duplicates = cfg.MaxAge, cfg.DedupWindow
	return c
}

const stateStream = "state"

func streamName(p wire.LogID) string {
	if p == wire.StateLog {
		return stateStream
	}
	return fmt.Sprintf("frames-%02d", p)
}

func encodeID[S ~string](id S) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

func channelSubject(p wire.LogID, ch wire.Channel) string {
	return fmt.Sprintf("f.%d.%s", p, encodeID(ch))
}

func stateSubject(r *wire.StateRecord) string {
	switch r.Kind {
	case wire.StateUser:
		return "s.u." + encodeID(r.User)
	case wire.StateRoom:
		return "s.r." + encodeID(r.Room)
	case wire.StateMember:
		return "s.m." + encodeID(r.Room) + "." + encodeID(r.User)
	}
	return "" // not a checked record: nothing takes it
}

// fail says that this session can't go on. The store opens another.
func (s *session) fail(cause error) {
	s.failOnce.Do(func() {
		s.cause = cause
		close(s.failed)
	})
}

// sick says what is wrong with the server's file store, nil if nothing.
func (s *session) sick() error {
	if h := s.srv.Healthz(nil); h.Error != "" {
		return errors.New(h.Error)
	}
	return nil
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
	for _, nc := range []*nats.Conn{s.pub, s.read} {
		if nc != nil {
			nc.Close()
		}
	}
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

// serverLog passes what the server has to say to our logger.
type serverLog struct{ log *slog.Logger }

func (l serverLog) say(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "embedded log", "says", fmt.Sprintf(format, v...))
	}
}

func (l serverLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l serverLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l serverLog) Fatalf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l serverLog) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l serverLog) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l serverLog) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
