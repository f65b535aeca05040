package identity_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
)

// gossipKey is a key of one letter, and its line in a file.
func gossipKey(letter string) (key []byte, line string) {
	key = []byte(strings.Repeat(letter, 32))
	return key, base64.StdEncoding.EncodeToString(key) + "\n"
}

func TestGossipKeys(t *testing.T) {
	a, lineA := gossipKey("a")
	b, lineB := gossipKey("b")
	for name, c := range map[string]struct {
		text string
		want [][]byte
	}{
		"one":          {lineA, [][]byte{a}},
		"no newline":   {strings.TrimSpace(lineA), [][]byte{a}},
		"two":          {lineB + lineA, [][]byte{b, a}},
		"with remarks": {"# since May\n\n  " + lineB + "\r\n# before\n" + lineA, [][]byte{b, a}},
		"twice":        {lineA + lineB + lineA, [][]byte{a, b}},
	} {
		keys, err := identity.ParseGossipKeys(c.text)
		if err != nil || !equalKeys(keys, c.want) {
			t.Errorf("%s: %q, %v", name, keys, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "remarks alone": "# nothing\n", "no base64": "not base64!", "short": "AAEC", "long": strings.Repeat("A", 64), "second bad": lineA + "AAEC\n",
	} {
		if _, err := identity.ParseGossipKeys(text); err == nil || !strings.Contains(err.Error(), "openssl rand") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var nine strings.Builder
	for _, letter := range "abcdefghi" {
		_, line := gossipKey(string(letter))
		nine.WriteString(line)
	}
	if _, err := identity.ParseGossipKeys(nine.String()); err == nil || !strings.Contains(err.Error(), "9 gossip keys, at most 8") {
		t.Errorf("nine keys: %v", err)
	}
	if dev := identity.DevGossipKey().Keys(); len(dev) != 1 || len(dev[0]) != 32 || !equalKeys(dev, identity.DevGossipKey().Keys()) {
		t.Errorf("dev keys %x", dev)
	}
}

func equalKeys(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|")))
}

// A file that changes is taken within ten seconds; one that can't be used leaves
// the old keys, and is told of once.
func TestGossipKeysAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, lineA := gossipKey("a")
		b, lineB := gossipKey("b")
		path := filepath.Join(t.TempDir(), "gossip.key")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		write(lineA)
		var log bytes.Buffer
		keys, err := identity.LoadGossipKeys(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || !equalKeys(keys.Keys(), [][]byte{a}) {
			t.Fatal(keys.Keys(), err)
		}
		for _, step := range []struct {
			text string
			want [][]byte
			said string
		}{
			{lineA + lineB, [][]byte{a, b}, "keys=2"},
			{lineB + lineA, [][]byte{b, a}, "keys=2"},
			{"oops", [][]byte{b, a}, "not taken"},
			{lineB, [][]byte{b}, "keys=1"},
		} {
			log.Reset()
			write(step.text)
			for range 15 {
				time.Sleep(time.Second)
				keys.Keys()
			}
			if got := keys.Keys(); !equalKeys(got, step.want) || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), step.said) {
				t.Errorf("%q: keys %q, said %q", step.text, got, log.String())
			}
		}
	})
	if _, err := identity.LoadGossipKeys(filepath.Join(t.TempDir(), "none"), nil); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("no file: %v", err)
	}
}
