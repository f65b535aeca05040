package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
)

const (
	// gossipKeySize is the size of a gossip key in bytes: AES-256.
	gossipKeySize = 32
	// maxGossipKeys is the most keys of a file: each costs a try per packet.
	maxGossipKeys = 8
)

// GossipKeys are what a node seals its gossip with and opens others'. When their
// file changes the new ones are taken without a restart; a file that can't be
// used is logged and not taken. Safe for concurrent use.
type GossipKeys struct{ *reloaded[[][]byte] }

// ParseGossipKeys decodes gossip keys, one a line: 32 bytes each in base64. Empty
// lines and those that begin with # don't count. A key that stands there twice
// is one.
func ParseGossipKeys(text string) ([][]byte, error) {
	var keys [][]byte
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("gossip key is not base64: make one with 'openssl rand -base64 %d'", gossipKeySize)
		}
		if len(key) != gossipKeySize {
			return nil, fmt.Errorf("gossip key has %d bytes, not %d: make one with 'openssl rand -base64 %d'", len(key), gossipKeySize, gossipKeySize)
		}
		if !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
			keys = append(keys, key)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("there is no gossip key: make one with 'openssl rand -base64 %d'", gossipKeySize)
	case len(keys) > maxGossipKeys:
		return nil, fmt.Errorf("%d gossip keys, at most %d are taken: remove those that no node sends with any more", len(keys), maxGossipKeys)
	}
	return keys, nil
}

// LoadGossipKeys reads gossip keys from a file. A nil logger is silence.
func LoadGossipKeys(path string, logger *slog.Logger) (*GossipKeys, error) {
	keys, err := load(source[[][]byte]{
		what: "gossip key file", files: []string{path}, read: func([][]byte) ([][]byte, error) { return readGossipKeys(path) },
		about: func(keys [][]byte) slog.Attr { return slog.Int("keys", len(keys)) },
	}, logger)
	if err != nil {
		return nil, err
	}
	return &GossipKeys{keys}, nil
}

func readGossipKeys(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gossip key file can't be read: %w", err)
	}
	keys, err := ParseGossipKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// DevGossipKey is the key of --dev; everyone knows it.
func DevGossipKey() *GossipKeys {
	key := sha256.Sum256([]byte(devGossip))
	return &GossipKeys{given([][]byte{key[:]})}
}

// Keys are the keys, read anew if the file has changed: the first is what this
// node seals with, and all are accepted. There is at least one. They are not to
// be modified.
func (k *GossipKeys) Keys() [][]byte { return k.current() }
