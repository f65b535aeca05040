package log

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"selvedge/internal/bug"
	"selvedge/wire"
)

// mark is what epoch.json says: the identity of the logs, and what it takes to
// know at the next start whether they still have everything.
type mark struct {
	Kind   kind   `json:"kind,omitempty"` // where the logs are; "" = kindSingle, as the first builds wrote
	Epoch  string `json:"epoch"`
	BootID string `json:"boot_id"` // of the boot in which the logs were last open
	Logs   int    `json:"logs"`
	Sync   Sync   `json:"sync"`
	Clean  bool   `json:"clean"` // the logs were closed in order
	// Doubt says that this core's copy may lack a tail, and nothing has made up
	// for that yet; clusters only.
	Doubt bool `json:"doubt,omitempty"`
	// Clocks are those of when this was written.
	Clocks clocks `json:"clocks,omitzero"`
	// Shown are positions that readers may have seen, by log ("state" for the
	// state log). They lag a few seconds behind.
	Shown map[string]wire.Seq `json:"shown"`
	// Proofs are what was at some of these: see proof.go.
	Proofs map[string][]proof `json:"proofs,omitempty"`
}

// equal does not look at the clocks.
func (m *mark) equal(o *mark) bool {
	return m.Kind == o.Kind && m.Doubt == o.Doubt && m.Epoch == o.Epoch && m.BootID == o.BootID && m.Logs == o.Logs && m.Sync == o.Sync &&
		m.Clean == o.Clean && maps.Equal(m.Shown, o.Shown) && equalProofs(m.Proofs, o.Proofs)
}

// stale says why the logs of m, which now end at ends, may lack a tail that
// someone has seen; "" = they don't.
func (m *mark) stale(bootID string, ends map[string]wire.Seq) string {
	if bug.On(bug.SameEpoch) && m.Epoch != "" {
		return ""
	}
	switch {
	case m.Epoch == "":
		return "new logs"
	case m.powerLost(bootID):
		return "the system went down while the logs were open"
	}
	return m.short(ends)
}

// powerLost reports whether what was acknowledged may not have reached the disk.
func (m *mark) powerLost(bootID string) bool {
	return !m.Clean && m.Sync != SyncAlways && (bootID == "" || m.BootID != bootID)
}

// short says which log ends before a position that was shown, "" = none.
func (m *mark) short(ends map[string]wire.Seq) string {
	for p, seq := range m.Shown {
		if ends[p] < seq {
			return fmt.Sprintf("log %s ends at %d, and %d was shown", p, ends[p], seq)
		}
	}
	return ""
}

// newEpoch is a fresh identity: 10 characters, 50 random bits.
func newEpoch() string { return strings.ToLower(rand.Text()[:10]) }

func logName(p wire.LogID) string {
	if p == wire.StateLog {
		return "state"
	}
	return strconv.Itoa(int(p))
}

const markFile = "epoch.json"

// readMark is the zero mark if dir has none.
func readMark(dir string) (mark, error) {
	var m mark
	b, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, folderError(dir, "read", err)
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Epoch == "" || m.Logs < 1 || m.Logs > wire.MaxLogs {
		return m, fmt.Errorf("%w %s has a damaged %s: restore it, or remove it to start a new epoch", ErrFolder, dir, markFile)
	}
	return m, nil
}

// writeMark replaces dir's mark.
func writeMark(dir string, m *mark) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", markFile, err)
	}
	return writeFile(dir, markFile, b)
}

// writeFile replaces a file of dir: whoever reads it, even after a power loss,
// finds the old one or the new one.
func writeFile(dir, name string, b []byte) error {
	path := filepath.Join(dir, name)
	if err := writeSynced(path+".tmp", append(b, '\n')); err != nil {
		return folderError(dir, "written", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return folderError(dir, "written", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return folderError(dir, "read", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return folderError(dir, "written", err)
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
