package identity_test

import (
	"net/http"
	"strings"
	"testing"

	"selvedge/internal/identity"
)

func TestAPIKeys(t *testing.T) {
	path := writeFile(t, "keys", "# backends\nchat:0123456789abcdef\n\n  jobs:with:colons:in:it:ok\n")
	keys, err := identity.LoadAPIKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		key, name string
	}{
		{"0123456789abcdef", "chat"},
		{"with:colons:in:it:ok", "jobs"},
		{"0123456789abcdeF", ""},
		{"chat:0123456789abcdef", ""},
		{"", ""},
		{"dev", ""},
	}
	for _, tt := range tests {
		if name, ok := keys.Lookup(tt.key); name != tt.name || ok != (tt.name != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", tt.key, name, ok, tt.name)
		}
	}
	if name, ok := identity.DevAPIKeys().Lookup(identity.DevAPIKey); name != "dev" || !ok {
		t.Errorf("dev key: %q, %v", name, ok)
	}
}

func TestAPIKeysRefused(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"none", "# nothing\n", "no API key"},
		{"no name", "0123456789abcdef", "has no name"},
		{"empty name", ":0123456789abcdef", "has no name"},
		{"short", "chat:dev", `API key "chat" has a secret of 3 bytes`},
		{"twice", "a:0123456789abcdef\na:fedcba9876543210", "there twice"},
	}
	for _, tt := range tests {
		if _, err := identity.LoadAPIKeys(writeFile(t, "keys", tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := identity.LoadAPIKeys("/none"); err == nil {
		t.Error("a missing file is accepted")
	}
}

func TestAuthenticate(t *testing.T) {
	keys := identity.DevAPIKeys()
	tests := []struct {
		header, value string
		ok            bool
	}{
		{"Authorization", "Bearer dev", true},
		{"Authorization", "bearer  dev ", true},
		{"Authorization", "Basic dev", false},
		{"Authorization", "Bearer", false},
		{"Authorization", "dev", false},
		{"X-API-Key", "dev", true},
		{"X-Api-Key", "dev2", false},
		{"X-Other", "dev", false},
	}
	for _, tt := range tests {
		r := &http.Request{Header: http.Header{}}
		r.Header.Set(tt.header, tt.value)
		if name, ok := keys.Authenticate(r); ok != tt.ok || ok != (name == "dev") {
			t.Errorf("%s: %s = %q, %v, want %v", tt.header, tt.value, name, ok, tt.ok)
		}
	}
}
