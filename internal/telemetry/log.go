package telemetry

import (
	"fmt"
	"io"
	"log"
	"log/slog"
)

// LogFlags are a node's flags for its log; embed it in a command struct. The
// zero value logs as text, from level info up.
type LogFlags struct {
	LogFormat string `help:"How log lines are written." enum:"text,json" default:"text"`
	LogLevel  string `help:"The least level that is logged." enum:"debug,info,warn,error" default:"info"`
}

// Logger writes to w as the flags say.
func (f LogFlags) Logger(w io.Writer) (*slog.Logger, error) {
	return NewLogger(w, f.LogFormat, f.LogLevel)
}

// NewLogger writes lines of format "text" (or "") or "json" from level "debug",
// "info" (or ""), "warn" or "error" up to w.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if level != "" {
		if err := least.UnmarshalText([]byte(level)); err != nil {
			return nil, fmt.Errorf("log level %q is unknown: use debug, info, warn or error", level)
		}
	}
	opts := &slog.HandlerOptions{Level: least}
	switch format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %q is unknown: use text or json", format)
}

// ServerLog is logger for an http.Server: what it reports are clients'
// accidents, at debug.
func ServerLog(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
}
