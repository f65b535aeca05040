package log_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	corelog "selvedge/core/log"
)

func TestExternalRefuses(t *testing.T) {
	t.Parallel()
	url := startNATS(t, t.TempDir())
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	good := jetstream.StreamConfig{
		Name: "frames-00", Subjects: []string{"f.0.*"}, AllowDirect: true, MaxMsgsPerSubject: -1, Duplicates: time.Hour,
	}
	for says, spoil := range map[string]func(c *jetstream.StreamConfig){
		"subjects":         func(c *jetstream.StreamConfig) { c.Subjects = []string{"f.0.x"} },
		"storage":          func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":        func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"discard":          func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, 10 },
		"of a subject":     func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 },
		"allow_msg_ttl":    func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
		"max_msg_size":     func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"duplicate_window": func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"allow_direct":     func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"acknowledge":      func(c *jetstream.StreamConfig) { c.NoAck = true },
	} {
		stream := good
		spoil(&stream)
		if _, err := js.CreateStream(t.Context(), stream); err != nil {
			t.Fatal(says, err)
		}
		cfg := external(t.TempDir(), url)
		cfg.Logs = 1
		s, err := corelog.Open(t.Context(), cfg)
		if err == nil {
			t.Fatal(says, "it opens", s.Close())
		}
		if !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "frames-00") {
			t.Errorf("%q doesn't name frames-00 and %q", err, says)
		}
		if err := js.DeleteStream(t.Context(), "frames-00"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateStream(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	cfg := external(t.TempDir(), url)
	cfg.Logs = 1
	_ = open(t, cfg) // a stream that somebody made well
	cfg.Dir, cfg.Logs = t.TempDir(), 2
	if _, err := corelog.Open(t.Context(), cfg); !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), "use 1") {
		t.Errorf("another number of logs: %v", err)
	}

	small := external(t.TempDir(), startNATS(t, t.TempDir(), func(o *server.Options) { o.MaxPayload = 1 << 20 }))
	if _, err := corelog.Open(t.Context(), small); !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("small messages: %v", err)
	}
	full := external(t.TempDir(), url)
	full.Logs, full.MaxBytes = 1, 1<<60
	full.Servers = []string{startNATS(t, t.TempDir())}
	if _, err := corelog.Open(t.Context(), full); !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), "--keep-bytes") {
		t.Errorf("no room: %v", err)
	}
	gone := external(t.TempDir(), "nats://127.0.0.1:1")
	if _, err := corelog.Open(t.Context(), gone); !errors.Is(err, corelog.ErrUnavailable) || !strings.Contains(err.Error(), "--log") {
		t.Errorf("nobody there: %v", err)
	}
}

// An external NATS keeps the epoch, and what it loses changes it.
func TestEpochOfAnExternalNATS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() (url string, stop func()) {
		srv, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir, MaxPayload: 2 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		if !srv.ReadyForConnections(limit) {
			t.Fatal("NATS does not start")
		}
		return srv.ClientURL(), func() { srv.Shutdown(); srv.WaitForShutdown() }
	}
	url, stop := start()
	cfg := external(t.TempDir(), url)
	epoch := ""
	for _, test := range []struct {
		name    string
		fault   func()
		changes bool
	}{
		{"new", func() {}, true},
		{"the same again", func() {}, false},
		{"power loss of the core", func() { edit(t, cfg.Dir, func(m map[string]any) { m["clean"], m["boot_id"] = false, "x" }) }, false},
		{"a new folder", func() { cfg.Dir = t.TempDir() }, false},
		{"a log ends before it was seen", func() { edit(t, cfg.Dir, func(m map[string]any) { m["shown"].(map[string]any)["0"] = 99 }) }, true},
		{"a log is gone", func() {
			if err := os.RemoveAll(filepath.Join(dir, "jetstream", "$G", "streams", "frames-01")); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		stop()
		test.fault()
		url, stop = start()
		cfg.Servers = []string{url}
		s, err := corelog.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(test.name, err)
		}
		if changed := s.Epoch() != epoch; changed != test.changes {
			t.Errorf("%s: the epoch changed: %v", test.name, changed)
		}
		epoch = s.Epoch()
		publish(t, s, post("room:a", "x"))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	single := config(cfg.Dir)
	if _, err := corelog.Open(t.Context(), single); !errors.Is(err, corelog.ErrSettings) || !strings.Contains(err.Error(), "--log nats://") {
		t.Errorf("the folder of an external NATS, embedded: %v", err)
	}
	stop()
}
