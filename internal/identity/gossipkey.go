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
	"sync"
	"time"
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
type GossipKeys struct {
	// fixed
	path   string // "" = nothing to reload
	logger *slog.Logger

	mu      sync.Mutex
	now     [][]byte  // guarded by mu; never modified
	checked time.Time // guarded by mu; last look at the file
	stamp   fileStamp // guarded by mu; of the file last read, good or not
}

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
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	k := &GossipKeys{path: path, logger: logger, checked: time.Now()}
	var err error
	if k.stamp, err = stampOf(path); err != nil {
		return nil, fmt.Errorf("gossip key file can't be read: %w", err)
	}
	if k.now, err = readGossipKeys(path); err != nil {
		return nil, err
	}
	return k, nil
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
	return &GossipKeys{now: [][]byte{key[:]}}
}

// Keys are the keys, read anew if the file has changed: the first is what this
// node seals with, and all are accepted. There is at least one. They are not to
// be modified.
func (k *GossipKeys) Keys() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); k.path != "" && now.Sub(k.checked) >= reloadInterval {
		k.checked = now
		k.reloadLocked()
	}
	return k.now
}

func (k *GossipKeys) reloadLocked() {
	stamp, err := stampOf(k.path)
	if err == nil && stamp == k.stamp {
		return
	}
	var keys [][]byte
	if err == nil {
		keys, err = readGossipKeys(k.path)
	}
	if err != nil {
		// Once per change of the file, unless it is gone.
		k.logger.Warn("new gossip keys not taken, the old ones stay in use", "err", err)
		k.stamp = stamp
		return
	}
	k.now, k.stamp = keys, stamp
	k.logger.Info("gossip keys read again", "file", k.path, "keys", len(keys))
}
