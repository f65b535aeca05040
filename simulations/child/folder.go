package child

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// Folder makes a folder for temporary files, whose name has what it is for: small letters
// and dashes. Whoever made it removes it. One whose process was killed is removed by the
// next call of Folder, whatever that is for, of any process; on other systems than Linux
// it stays.
func Folder(what string) (string, error) {
	sweep()
	return os.MkdirTemp("", fmt.Sprintf("selvedge-%s-%d-", what, os.Getpid()))
}

// ours is the name of a folder that Folder made: the number of its process, and one
// that makes it unique.
var ours = regexp.MustCompile(`^selvedge-[a-z-]+-(\d+)-\d+$`)

// sweep removes the folders of processes that have ended.
func sweep() {
	all, err := os.ReadDir(os.TempDir())
	if err != nil {
		return // making one will tell
	}
	for _, entry := range all {
		m := ours.FindStringSubmatch(entry.Name())
		if m == nil || !entry.IsDir() {
			continue
		}
		if pid, err := strconv.Atoi(m[1]); err == nil && gone(pid) {
			_ = os.RemoveAll(filepath.Join(os.TempDir(), entry.Name())) // the next one tries again
		}
	}
}
