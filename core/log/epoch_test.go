package log_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// edit changes a closed store's epoch.json.
func edit(t *testing.T, dir string, change func(m map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "epoch.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEpochChangesWhenATailMayBeLost(t *testing.T) {
	t.Parallel()
	unclean := func(m map[string]any) { m["clean"] = false }
	shown := func(log string, seq int) func(m map[string]any) {
		return func(m map[string]any) { m["shown"].(map[string]any)[log] = seq }
	}
	none := func(map[string]any) {}
	for name, test := range map[string]struct {
		sync    corelog.Sync
		edit    func(m map[string]any)
		boot    string
		changes bool
	}{
		"clean stop":                        {edit: none, boot: "one"},
		"clean stop, then a reboot":         {edit: none, boot: "two"},
		"killed":                            {edit: unclean, boot: "one"},
		"power loss":                        {edit: unclean, boot: "two", changes: true},
		"unclean stop, unknown boot":        {edit: unclean, boot: "", changes: true},
		"unclean stop, boots never known":   {edit: func(m map[string]any) { m["clean"], m["boot_id"] = false, "" }, boot: "", changes: true},
		"power loss, always synced":         {edit: unclean, boot: "two", sync: corelog.SyncAlways},
		"a frame log ends before shown":     {edit: shown("0", 12), boot: "one", changes: true},
		"the state log ends before shown":   {edit: shown("state", 1), boot: "one", changes: true},
		"lost tail, although synced":        {edit: shown("0", 12), boot: "one", sync: corelog.SyncAlways, changes: true},
		"a log that nobody has asked about": {edit: shown("0", 9), boot: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t.TempDir())
			cfg.Logs, cfg.Sync = 1, test.sync
			s, err := corelog.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				publish(t, s, post("room:a", "x"))
			}
			epoch := s.Epoch()
			if len(epoch) != 10 {
				t.Errorf("epoch %q", epoch)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, cfg.Dir, test.edit)
			cfg.BootID, cfg.Logs = func() string { return test.boot }, 0
			s = open(t, cfg)
			if changed := s.Epoch() != epoch; changed != test.changes {
				t.Errorf("the epoch changed: %v", changed)
			}
			if s.Logs() != 1 || s.End(0) != 10 {
				t.Errorf("%d logs, end %d", s.Logs(), s.End(0))
			}
			if placed := publish(t, s, post("room:a", "x")); placed.Seq != 11 {
				t.Errorf("the next frame is %d", placed.Seq)
			}
		})
	}
}

func TestShownIsKeptFreshWhileOpen(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs = 1
	s := open(t, cfg)
	publish(t, s, post("room:a", "x"))
	eventually(t, "epoch.json shows 1", func() bool {
		b, err := os.ReadFile(filepath.Join(cfg.Dir, "epoch.json"))
		return err == nil && strings.Contains(string(b), `"0": 1`) && strings.Contains(string(b), `"clean": false`)
	})
}

func TestWipedLogsHaveANewEpoch(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	s, err := corelog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s, post("room:a", "x"))
	epoch := s.Epoch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(cfg.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	if s = open(t, cfg); s.Epoch() == epoch {
		t.Error("the epoch stays although the logs are gone")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	used := config(t.TempDir())
	_ = open(t, used)
	closed := config(t.TempDir())
	s, err := corelog.Open(t.Context(), closed)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	damaged := config(t.TempDir())
	if err := os.WriteFile(filepath.Join(damaged.Dir, "epoch.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readonly := "/proc/self/selvedge" // for root too
	if os.Getuid() != 0 {
		readonly = filepath.Join(t.TempDir(), "readonly")
		if err := os.Mkdir(readonly, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		cfg  corelog.Config
		is   error
		says []string
	}{
		"a folder in use":      {used, corelog.ErrLocked, []string{used.Dir, fmt.Sprintf("in use by another core (pid %d)", os.Getpid()), "choose another --data"}},
		"another P":            {corelog.Config{Dir: closed.Dir, Logs: 8}, nil, []string{closed.Dir, "4 frame logs", "8"}},
		"a damaged mark":       {damaged, corelog.ErrFolder, []string{damaged.Dir, "epoch.json"}},
		"a file":               {corelog.Config{Dir: file}, corelog.ErrFolder, []string{file, "not a directory", "--data"}},
		"below a file":         {corelog.Config{Dir: file + "/x"}, corelog.ErrFolder, []string{file, "not a directory", "--data"}},
		"an unwritable folder": {corelog.Config{Dir: readonly}, corelog.ErrFolder, []string{readonly, "--data"}},
		"no folder":            {corelog.Config{}, corelog.ErrFolder, []string{"--data"}},
		"too many logs":        {corelog.Config{Dir: closed.Dir, Logs: 257}, nil, []string{"257"}},
		"an unknown sync":      {corelog.Config{Dir: closed.Dir, Sync: "never"}, nil, []string{`"never"`, `"always"`}},
		"a long window":        {corelog.Config{Dir: closed.Dir, DedupWindow: 25 * time.Hour}, nil, []string{"window"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := corelog.Open(t.Context(), test.cfg)
			if err == nil {
				t.Fatal("it opens", s.Close())
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has more than a line", err)
			}
		})
	}
}

func TestLimitsMayExceedTheDisk(t *testing.T) {
	t.Parallel()
	s := open(t, corelog.Config{Dir: t.TempDir(), MaxBytes: 1 << 50})
	if s.Logs() != 16 {
		t.Errorf("%d logs by default", s.Logs())
	}
	publish(t, s, post("room:a", "x"))
}

func TestLimitsMayChange(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Logs = 1
	s, err := corelog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		publish(t, s, post("room:a", strings.Repeat("x", 1000)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.MaxBytes, cfg.MaxAge, cfg.DedupWindow = 64<<10, time.Hour, time.Minute
	s = open(t, cfg)
	if floor := s.Floor(0); floor < 100 {
		t.Errorf("floor is %d in 64 KiB", floor)
	}
	if s.End(0) != 200 {
		t.Errorf("end is %d", s.End(0))
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	s, err := corelog.Open(t.Context(), config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	following := make(chan error, 1)
	go func() { following <- s.Follow(t.Context(), 0, 0, func([]corelog.Stored) error { return nil }) }()
	publish(t, s, post("room:a", "x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-following; !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("follow ends with %v", err)
	}
	if _, err := s.Publish(t.Context(), "key", post("room:a", "x")); !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	if res := s.AppendState(t.Context(), []corelog.StateAppend{{Record: user("u", 1)}}); !errors.Is(res[0].Err, corelog.ErrUnavailable) {
		t.Errorf("append: %v", res)
	}
	if _, err := s.Read(t.Context(), wire.StateLog, 0, 1); !errors.Is(err, corelog.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
}
