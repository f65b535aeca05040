package identitytest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"selvedge/internal/identity"
)

// ServerKeys are keys of a public port at 127.0.0.1, good for an hour.
func ServerKeys(t *testing.T) *identity.ServerKeys {
	t.Helper()
	ca, err := identity.NewCA(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := identity.IssueNode(ca, "edge", "e1", []string{"127.0.0.1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := identity.ServerFiles{Cert: filepath.Join(dir, "tls.pem"), Key: filepath.Join(dir, "tls-key.pem")}
	for path, text := range map[string][]byte{files.Cert: issued.Cert, files.Key: issued.Key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := identity.LoadServer(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
