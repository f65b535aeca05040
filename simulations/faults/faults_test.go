package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/config"
)

// The quick ones; the others are for `selvedge bench faults`.
func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	for _, s := range []scenario{restart, lateChannel, joins, retention, edgeKill} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if err := played(t, s, stallTime); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := newReport(&Command{})
	one := scenario{name: "one", fault: "a fault", must: "a promise"}
	r.add(one, &run{seen: []string{"this", "that"}}, nil, time.Second)
	if err := r.err(); err != nil {
		t.Errorf("all held: %v", err)
	}
	r.add(scenario{name: "two"}, &run{}, errNotHere, 0)
	if err := r.err(); err != nil {
		t.Errorf("what was not run is not broken: %v", err)
	}
	r.add(scenario{name: "three"}, &run{}, errBroken, 0)
	if err := r.err(); err == nil || !strings.Contains(err.Error(), "three") {
		t.Errorf("a broken promise: %v", err)
	}
	var got []Verdict
	for _, f := range r.Faults {
		got = append(got, f.Held)
	}
	if diff := cmp.Diff([]Verdict{Held, NotHere, Broken}, got); diff != "" {
		t.Error(diff)
	}
	var table bytes.Buffer
	if err := r.print(&table); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"one", "a fault", "a promise", "this", "that", "yes (1 s)", "not run", "NO"} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, &table)
		}
	}
	file := filepath.Join(t.TempDir(), "report.json")
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(b, &again); err != nil || len(again.Faults) != 3 {
		t.Errorf("%v in %s", err, b)
	}
}

func TestParts(t *testing.T) {
	c := &Command{Only: []string{"slow", "core-kill"}, Sockets: 1, Rate: 1}
	parts, err := c.parts()
	if err != nil || len(parts) != 2 || parts[0].name != "slow" {
		t.Errorf("%v, %v", parts, err)
	}
	for _, bad := range []*Command{
		{Only: []string{"nothing"}, Sockets: 1, Rate: 1},
		{Sockets: 0, Rate: 1},
		{Sockets: 18_001, Rate: 1},
		{Sockets: 1},
	} {
		if err := bad.Run(t.Context(), &config.IO{}); err == nil {
			t.Errorf("%+v runs", bad)
		}
	}
}

func TestGateHoldsReads(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	g := newGate(near)
	g.hold()
	got := make(chan byte)
	go func() {
		b := make([]byte, 1)
		if _, err := g.Read(b); err == nil {
			got <- b[0]
		}
		close(got)
	}()
	if err := far.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte{1}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the write was read: %v", err)
	}
	if err := far.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	g.release()
	if _, err := far.Write([]byte{2}); err != nil {
		t.Fatal(err)
	}
	if b := <-got; b != 2 {
		t.Errorf("got %d", b)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func TestCutTails(t *testing.T) {
	data := t.TempDir()
	msgs := filepath.Join(data, "log", "jetstream", "$G", "streams", "frames-00", "msgs")
	if err := os.MkdirAll(msgs, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"9.blk": 100, "10.blk": 50} {
		if err := os.WriteFile(filepath.Join(msgs, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mark := filepath.Join(data, "epoch.json")
	if err := os.WriteFile(mark, []byte(`{"epoch":"a","boot_id":"one"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cut, err := cutTails(data)
	if err != nil || cut != 25 {
		t.Fatalf("cut %d, %v", cut, err)
	}
	b, err := os.ReadFile(mark)
	if err != nil || !strings.Contains(string(b), `"another"`) || !strings.Contains(string(b), `"epoch":"a"`) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := cutTails(t.TempDir()); err == nil {
		t.Error("an empty folder is cut")
	}
}
