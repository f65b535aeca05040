package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"

	"selvedge/internal/config"
)

// Scenario is all that a simulation depends on beside its seed and the code. It is
// plain data.
type Scenario interface {
	// Check reports what is wrong with it.
	Check() error
}

// Load reads a file into s, and checks that. What the file doesn't name stays as it is;
// what s doesn't know is an error.
func Load(file string, s Scenario) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := Read(text, s); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// FromFlag is Load for the file of a command's --scenario; "" = none, and s stays. Its
// errors are those of usage.
func FromFlag(file string, s Scenario) error {
	if file == "" {
		return nil
	}
	if err := Load(file, s); err != nil {
		return config.Usagef("--scenario: %w", err)
	}
	return nil
}

// Read is Load for a text.
func Read(text []byte, s Scenario) error {
	if len(bytes.TrimSpace(text)) > 0 {
		d := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField())
		if err := d.Decode(s); err != nil {
			return errors.New(yaml.FormatError(err, false, false))
		}
	}
	return s.Check()
}

// Text is s as a file that Load reads.
func Text(s any) string {
	text, err := yaml.Marshal(s)
	if err != nil {
		return err.Error() // plain data always can be
	}
	return string(text)
}
