package bench

import (
	"encoding/json"
	"fmt"
	"os"
)

// Command is `selvedge bench`.
type Command struct {
	Day DayCommand `cmd:"" help:"A day's worth: 50,000 messages over 200 rooms to 1,000 clients at three edges, each accounted for."`
}

// save writes a result for machines; "" = not.
func save(path string, result any) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
