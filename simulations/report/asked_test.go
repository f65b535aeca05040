package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLineIsWhatWasTyped(t *testing.T) {
	a := Asked{Seed: 3}
	if got := a.Line("try"); got != "selvedge simulate try --seed 3" {
		t.Error(got)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a.Scenario, a.Quick = filepath.Join(here, "mine.yaml"), true
	a.Add(true, "--sockets %d", 7)
	a.Add(false, "--clients %d", 0)
	if got := a.Line("try"); got != "selvedge simulate try --seed 3 --scenario mine.yaml --sockets 7 --quick" {
		t.Error(got)
	}
}

func TestTheEndOfACommand(t *testing.T) {
	r, a, out := whole(t), Asked{Out: t.TempDir(), Seed: 9}, bytes.Buffer{}
	if err := r.Finish(a, &out); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(strings.TrimSuffix(out.String(), "\n"))
	if err != nil || !bytes.Contains(page, []byte("selvedge simulate try --seed 9")) || r.Seed != 9 || r.Quick {
		t.Errorf("%q, %v: %+v", out.String(), err, r)
	}
	out.Reset()
	a.Out = filepath.Join(a.Out, HTML) // a file
	if err := r.Finish(a, &out); err == nil || !strings.HasPrefix(err.Error(), "--out: ") || out.Len() > 0 {
		t.Errorf("below a file: %v, %q", err, out.String())
	}
}
