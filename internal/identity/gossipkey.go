package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// gossipKeySize is the size of a gossip key in bytes: AES-256.
const gossipKeySize = 32

// ParseGossipKey decodes a gossip key: 32 bytes in base64.
func ParseGossipKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("gossip key is not base64: make one with 'openssl rand -base64 %d'", gossipKeySize)
	}
	if len(key) != gossipKeySize {
		return nil, fmt.Errorf("gossip key has %d bytes, not %d: make one with 'openssl rand -base64 %d'", len(key), gossipKeySize, gossipKeySize)
	}
	return key, nil
}

// LoadGossipKey reads a gossip key from a file.
func LoadGossipKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gossip key file can't be read: %w", err)
	}
	key, err := ParseGossipKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// DevGossipKey is the key of --dev; everyone knows it.
func DevGossipKey() []byte {
	key := sha256.Sum256([]byte(devGossip))
	return key[:]
}
