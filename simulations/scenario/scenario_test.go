package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Sockets int           `yaml:"sockets"`
	For     time.Duration `yaml:"for"`
	Rooms   struct {
		Size int `yaml:"size"`
	} `yaml:"rooms"`
}

func (s *sample) Check() error {
	if s.Sockets > 10 {
		return errors.New("sockets: at most 10")
	}
	return nil
}

func TestLoad(t *testing.T) {
	for text, want := range map[string]struct {
		sockets, size int
		problem       string
	}{
		"":                            {3, 5, ""},
		" \n":                         {3, 5, ""},
		"sockets: 7":                  {7, 5, ""},
		`{"rooms": {"size": 9}}`:      {3, 9, ""},
		"rooms: {size: 9}\nfor: 2m\n": {3, 9, ""},
		"sokets: 7":                   {problem: "unknown field"},
		"rooms: {sizes: 7}":           {problem: "unknown field"},
		"sockets: many":               {problem: "cannot unmarshal"},
		"sockets: 11":                 {problem: "at most 10"},
		"sockets: [":                  {problem: "["},
	} {
		file := filepath.Join(t.TempDir(), "a.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &sample{Sockets: 3}
		s.Rooms.Size = 5
		err := Load(file, s)
		switch {
		case want.problem != "":
			if err == nil || !strings.Contains(err.Error(), want.problem) || !strings.HasPrefix(err.Error(), file) {
				t.Errorf("%q: %v", text, err)
			}
		case err != nil || s.Sockets != want.sockets || s.Rooms.Size != want.size:
			t.Errorf("%q: %+v, %v", text, s, err)
		}
		again := &sample{}
		if want.problem == "" && (Read([]byte(Text(s)), again) != nil || *again != *s) {
			t.Errorf("%q: printed as %q, which is %+v", text, Text(s), again)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	if err := Load(none, &sample{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := FromFlag(none, &sample{}); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "--scenario: ") {
		t.Error(err)
	}
	if err := FromFlag("", &sample{Sockets: 11}); err != nil {
		t.Errorf("without the flag: %v", err)
	}
}
