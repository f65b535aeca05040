package gossip

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logWriter takes memberlist's lines, "[LEVEL] memberlist: text", to slog, a level
// lower than they claim: what memberlist calls an error is a packet that it
// couldn't read or a peer that didn't answer, which happens all day in a large
// cluster. Lines that differ in numbers only come once per repeatAfter.
type logWriter struct {
	logger *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // when a line of this shape was last passed on
}

const (
	repeatAfter = 10 * time.Second
	maxShapes   = 256
)

func newLogWriter(logger *slog.Logger) *logWriter {
	return &logWriter{logger: logger, last: map[string]time.Time{}}
}

// Write is io.Writer's, for a log.Logger: one line each.
func (w *logWriter) Write(line []byte) (int, error) {
	level, text := parseLine(string(line))
	if w.logger.Enabled(context.Background(), level) && w.isNews(text) {
		w.logger.LogAttrs(context.Background(), level, "memberlist", slog.String("text", text))
	}
	return len(line), nil
}

func parseLine(line string) (slog.Level, string) {
	text := strings.TrimSpace(line)
	level := slog.LevelInfo
	if name, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "] "); ok && text[0] == '[' {
		text = rest
		switch name {
		case "ERR", "ERROR":
			level = slog.LevelWarn
		case "WARN":
			level = slog.LevelInfo
		default: // INFO tells of joins and deaths, which we log ourselves
			level = slog.LevelDebug
		}
	}
	return level, strings.TrimPrefix(text, "memberlist: ")
}

func (w *logWriter) isNews(text string) bool {
	shape := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[shape]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	if len(w.last) >= maxShapes {
		clear(w.last)
	}
	w.last[shape] = now
	return true
}
