package log

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
)

// startServer starts the server of a single core. It listens nowhere.
func startServer(cfg *Config) (*embedded, error) {
	options := serverOptions(cfg)
	options.ServerName = "selvedge"
	options.DontListen, options.NoSystemAccount = true, true
	e, err := newEmbedded(cfg, options)
	if err != nil {
		return nil, err
	}
	e.server.Start()
	if !e.server.ReadyForConnections(startLimit) || !e.server.JetStreamEnabled() {
		e.stop()
		return nil, fmt.Errorf("the embedded log did not start in %s: see the log", cfg.Dir)
	}
	return e, nil
}

// serverOptions are what every embedded server has.
func serverOptions(cfg *Config) *server.Options {
	return &server.Options{
		NoSigs:                 true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               filepath.Join(cfg.Dir, "log"),
		// Streams reserve their size limit; what the disk has is for the
		// operator to watch, and a full one is answered with ErrUnavailable.
		JetStreamMaxStore: 1 << 62,
		SyncAlways:        cfg.Sync == SyncAlways,
		MaxPayload:        maxRecord + 4<<10,
		MaxPending:        maxPending,
	}
}

func newEmbedded(cfg *Config, options *server.Options) (*embedded, error) {
	if raftTimes != nil && cfg.kind() == kindCluster {
		return nil, raftTimes
	}
	srv, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("configure the embedded log: %w", err)
	}
	e := &embedded{server: srv, options: options, log: &serverLog{log: cfg.Logger, member: cfg.kind() == kindCluster}}
	srv.SetLoggerV2(e.log, false, false, false)
	return e, nil
}

// serverLog passes what the server has to say to our logger.
type serverLog struct {
	log *slog.Logger
	// member says that the others' comings and goings are told, not warned of, and
	// that a listener which can't be opened is no error while the server starts: it
	// must not have one (see startMember).
	member bool
	began  atomic.Bool
}

func (l *serverLog) say(level slog.Level, format string, v []any) {
	ctx := context.Background()
	switch {
	case l.member && level == slog.LevelError:
		level = slog.LevelWarn
	case l.member:
		level = slog.LevelDebug
	}
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "embedded log", "says", fmt.Sprintf(format, v...))
	}
}

func (l *serverLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }

func (l *serverLog) Fatalf(format string, v ...any) {
	if l.member && !l.began.Load() {
		l.Debugf(format, v...)
		return
	}
	l.Errorf(format, v...)
}
