package identity_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/config"
	"selvedge/internal/identity"
)

type result struct {
	Status         int
	Stdout, Stderr string
}

func selvedge(t *testing.T, args ...string) result {
	t.Helper()
	var cli struct {
		Token identity.TokenCommand `cmd:""`
		Cert  identity.CertCommand  `cmd:""`
	}
	var out, errs bytes.Buffer
	status := config.Main(t.Context(), args, config.IO{Stdout: &out, Stderr: &errs}, &cli)
	return result{status, out.String(), errs.String()}
}

func TestTokenCommand(t *testing.T) {
	got := selvedge(t, "token", "--dev", "--user", "u1", "--ttl", "15m", "--publish", "room:a,b", "--publish", "room:*", "--subscribe", "topic:*", "--team", "t")
	if got.Status != 0 || got.Stderr != "" || strings.Count(got.Stdout, "\n") != 1 {
		t.Fatalf("%+v", got)
	}
	c, err := verifier(t, identity.DevTokens()).Verify(t.Context(), strings.TrimSpace(got.Stdout))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(c.Expires); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("expires in %s", left)
	}
	c.Expires = time.Time{}
	want := identity.Claims{User: "u1", Publish: []string{"room:a,b", "room:*"}, Subscribe: []string{"topic:*"}, Team: "t"}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}

	file := writeFile(t, "secret", secret+"\n")
	got = selvedge(t, "token", "--secret-file", file, "--user", "u2")
	v := verifier(t, identity.TokenConfig{Secrets: [][]byte{[]byte(secret)}})
	if c, err := v.Verify(t.Context(), strings.TrimSpace(got.Stdout)); err != nil || c.User != "u2" || c.Publish != nil {
		t.Errorf("%+v: %+v, %v", got, c, err)
	}
}

func TestTokenCommandRefuses(t *testing.T) {
	short := writeFile(t, "secret", "short\n")
	tests := []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--dev"}, 2, "missing flags: --user=ID: see selvedge token --help"},
		{[]string{"--user", "u"}, 2, "say which secret signs: --dev or --secret-file FILE, one of them"},
		{[]string{"--user", "u", "--dev", "--secret-file", short}, 2, "say which secret signs: --dev or --secret-file FILE, one of them"},
		{[]string{"--user", "u", "--secret-file", short}, 1, "token secret " + short + " has 5 bytes: HS256 needs at least 32"},
		{[]string{"--user", "u", "--secret-file", "/none"}, 1, "token secret can't be read: open /none: no such file or directory"},
		{[]string{"--user", "a\tb", "--dev"}, 1, `token for user "a\tb": bad id: "a\tb" has a control character`},
		{[]string{"--user", "u", "--dev", "--ttl=-1h"}, 1, `token for user "u" would be expired at once`},
		{[]string{"--user", "u", "--dev", "--publish", "general"}, 2, `channel pattern "general": write it as room:ID`},
		{[]string{"--user", "u", "--dev", "--subscribe", "topic:*x"}, 2, `channel pattern "topic:*x": a * stands at the end only`},
	}
	for _, tt := range tests {
		got := selvedge(t, append([]string{"token"}, tt.args...)...)
		if got.Status != tt.status || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "selvedge: "+tt.want) || strings.Count(got.Stderr, "\n") != 1 {
			t.Errorf("%q: %+v, want %q", tt.args, got, tt.want)
		}
	}
}

func TestCertCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ca, caKey := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	files := identity.NodeFilesIn(dir, "edge", "eu1")
	nodeArgs := []string{"cert", "node", dir, "--role", "edge", "--name", "eu1", "--host", "10.0.0.1", "--host", "eu1.example", "--ttl", "100h"}
	rotate := []string{"cert", "rotate", dir, "--role", "edge", "--name", "eu1"}

	steps := []struct {
		args []string
		want result
	}{
		{nodeArgs, result{1, "", "selvedge: " + dir + " has no CA: make one with 'selvedge cert ca " + dir + "'\n"}},
		{[]string{"cert", "ca", dir}, result{0, ca + "\n" + caKey + "\n", ""}},
		{rotate, result{1, "", "selvedge: " + files.Cert + " doesn't exist: issue it with 'selvedge cert node " + dir + " --role edge --name eu1'\n"}},
		{nodeArgs, result{0, files.Cert + "\n" + files.Key + "\n", ""}},
		{nodeArgs, result{1, "", "selvedge: " + files.Key + " exists: it stays as it is; use 'selvedge cert rotate', or another folder\n"}},
		{[]string{"cert", "ca", dir}, result{1, "", "selvedge: " + caKey + " exists: it stays as it is; use 'selvedge cert rotate', or another folder\n"}},
		{[]string{"cert", "node", dir, "--role", "king", "--name", "a"}, result{2, "", `selvedge: --role must be one of "core","edge" but got "king"` + "\n"}},
	}
	for _, s := range steps {
		if diff := cmp.Diff(s.want, selvedge(t, s.args...)); diff != "" {
			t.Fatalf("%q: %s", s.args, diff)
		}
	}
	if _, err := identity.LoadNode(files, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{caKey, files.Key} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}

	before := leafOf(t, files.Cert)
	if diff := cmp.Diff(result{0, files.Cert + "\n" + files.Key + "\n", ""}, selvedge(t, rotate...)); diff != "" {
		t.Fatal(diff)
	}
	after := leafOf(t, files.Cert)
	if bytes.Equal(before.RawSubjectPublicKeyInfo, after.RawSubjectPublicKeyInfo) || before.SerialNumber.Cmp(after.SerialNumber) == 0 {
		t.Error("the key or the number is the old one")
	}
	if a, b := before.NotAfter.Sub(before.NotBefore), after.NotAfter.Sub(after.NotBefore); a != b {
		t.Errorf("lifetime %s became %s", a, b)
	}
	if diff := cmp.Diff([]any{before.DNSNames, before.IPAddresses, before.URIs}, []any{after.DNSNames, after.IPAddresses, after.URIs}); diff != "" {
		t.Error(diff)
	}
	if _, err := identity.LoadNode(files, nil); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(files.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("new key: %v, %v", info, err)
	}
	expectNames(t, dir, "ca-key.pem", "ca.pem", "edge-eu1-key.pem", "edge-eu1.pem")
}

// TestNoHalfDoneWrite: the certificate can't be written, so its key isn't there either.
func TestNoHalfDoneWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := selvedge(t, "cert", "ca", dir); got.Status != 1 || !strings.Contains(got.Stderr, "ca.pem exists") {
		t.Errorf("%+v", got)
	}
	expectNames(t, dir, "ca.pem")
}

func TestLoadCARefuses(t *testing.T) {
	mine, other := newCA(t), newCA(t)
	otherKey, err := other.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	issued := issue(t, mine, "edge", "a", time.Hour)
	tests := []struct{ name, cert, key, want string }{
		{"noise", "x", "y", "must be PEM files"},
		{"another's key", string(mine.PEM()), string(otherKey), "key belongs to another certificate"},
		{"a node", string(issued.Cert), string(issued.Key), "is no CA"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		for name, text := range map[string]string{"ca.pem": tt.cert, "ca-key.pem": tt.key} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := identity.LoadCA(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func expectNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files: %s", diff)
	}
}
