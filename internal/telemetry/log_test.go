package telemetry_test

import (
	"bytes"
	"strings"
	"testing"

	"selvedge/internal/telemetry"
)

func TestLogger(t *testing.T) {
	tests := []struct{ format, level, want string }{
		{"", "", "level=WARN msg=loud n=1\n"},
		{"text", "debug", "level=WARN msg=loud n=1\n"},
		{"json", "info", `"level":"WARN","msg":"loud","n":1}` + "\n"},
		{"text", "error", ""},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		logger, err := telemetry.LogFlags{LogFormat: tt.format, LogLevel: tt.level}.Logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		if tt.level != "debug" {
			logger.Debug("quiet")
		}
		logger.Warn("loud", "n", 1)
		if !strings.HasSuffix(out.String(), tt.want) || strings.Contains(out.String(), "quiet") || (tt.want == "") != (out.Len() == 0) {
			t.Errorf("%+v: logged %q", tt, out.String())
		}
	}
}

func TestLoggerRefuses(t *testing.T) {
	for _, f := range []telemetry.LogFlags{{LogFormat: "xml"}, {LogLevel: "loud"}} {
		if _, err := f.Logger(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), ": use ") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
