package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// minAPIKey is the shortest secret of an API key, in bytes.
const minAPIKey = 16

// APIKeys are the keys of backends, each with a name that logs may show. Fixed
// once made; safe for concurrent use.
type APIKeys struct {
	entries []apiKey
}

type apiKey struct {
	name string
	hash [sha256.Size]byte
}

// NewAPIKeys takes entries "name:secret". A secret has at least 16 bytes.
func NewAPIKeys(entries []string) (*APIKeys, error) {
	keys := &APIKeys{}
	for i, entry := range entries {
		name, secret, ok := strings.Cut(entry, ":")
		switch {
		case !ok || name == "" || strings.TrimSpace(name) != name:
			return nil, fmt.Errorf("API key %d has no name: write it as name:secret", i+1)
		case len(secret) < minAPIKey:
			return nil, fmt.Errorf("API key %q has a secret of %d bytes: at least %d are needed", name, len(secret), minAPIKey)
		}
		for _, other := range keys.entries {
			if other.name == name {
				return nil, fmt.Errorf("API key %q is there twice: give each its own name", name)
			}
		}
		keys.entries = append(keys.entries, apiKey{name: name, hash: sha256.Sum256([]byte(secret))})
	}
	if len(keys.entries) == 0 {
		return nil, fmt.Errorf("no API key: write at least one as name:secret")
	}
	return keys, nil
}

// LoadAPIKeys reads entries from a file, one a line. Empty lines and lines that
// begin with # are skipped.
func LoadAPIKeys(path string) (*APIKeys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("API key file can't be read: %w", err)
	}
	var entries []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			entries = append(entries, line)
		}
	}
	keys, err := NewAPIKeys(entries)
	if err != nil {
		return nil, fmt.Errorf("API key file %s: %w", path, err)
	}
	return keys, nil
}

// DevAPIKeys knows DevAPIKey only, by the name "dev".
func DevAPIKeys() *APIKeys {
	return &APIKeys{entries: []apiKey{{name: "dev", hash: sha256.Sum256([]byte(DevAPIKey))}}}
}

// Lookup gives the name of a key. The time that it takes says nothing of the keys.
func (k *APIKeys) Lookup(key string) (name string, ok bool) {
	hash := sha256.Sum256([]byte(key))
	for _, e := range k.entries {
		if subtle.ConstantTimeCompare(hash[:], e.hash[:]) == 1 {
			name, ok = e.name, true // and go on: an early end would tell
		}
	}
	return name, ok
}

// Authenticate is Lookup of the key that a request carries.
func (k *APIKeys) Authenticate(r *http.Request) (name string, ok bool) {
	key, ok := RequestKey(r)
	if !ok {
		return "", false
	}
	return k.Lookup(key)
}

// RequestKey reads the key of a request: Authorization: Bearer KEY, else
// X-API-Key: KEY. It also reads a client's token, which travels the same way.
func RequestKey(r *http.Request) (key string, ok bool) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if key = strings.TrimSpace(key); strings.EqualFold(scheme, "Bearer") && key != "" {
		return key, true
	}
	key = r.Header.Get("X-API-Key")
	return key, key != ""
}
