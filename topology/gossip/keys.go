package gossip

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// KeySource has the keys of the cluster.
type KeySource interface {
	// Keys are 16, 24 or 32 bytes each: with the first this node seals what it
	// sends, and it opens what is sealed with any. They are asked for each second,
	// and taken when they have changed; ones that can't be used never are. They
	// must not be modified afterwards.
	Keys() [][]byte
}

// keyCheck paces the look at the keys.
const keyCheck = time.Second

// ring is the keys in use: memberlist's, and ours to look at what comes in.
type ring struct {
	list *memberlist.Keyring
	now  atomic.Pointer[keys]
}

// keys are never modified.
type keys struct {
	raw  [][]byte
	seal []cipher.AEAD // in the order of raw
}

func newRing(raw [][]byte) (*ring, error) {
	k, err := newKeys(raw)
	if err != nil {
		return nil, err
	}
	list, err := memberlist.NewKeyring(raw, raw[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadConfig, err)
	}
	r := &ring{list: list}
	r.now.Store(k)
	return r, nil
}

func newKeys(raw [][]byte) (*keys, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: there is no key", ErrBadConfig)
	}
	k := &keys{raw: raw}
	for _, key := range raw {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("%w: a key has %d bytes: use 16, 24 or 32", ErrBadConfig, len(key))
		}
		seal, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		k.seal = append(k.seal, seal)
	}
	return k, nil
}

// take makes raw the keys in use. It reports whether they were others before.
// Calls must not overlap.
func (r *ring) take(raw [][]byte) (changed bool, err error) {
	if slices.EqualFunc(raw, r.now.Load().raw, bytes.Equal) {
		return false, nil
	}
	k, err := newKeys(raw)
	if err != nil {
		return false, err
	}
	if err := r.install(raw); err != nil {
		return false, err
	}
	r.now.Store(k)
	return true, nil
}

// install puts raw into memberlist's ring. That hands its list out to readers and
// removes from the middle of it in place, so only the last one is ever removed.
func (r *ring) install(raw [][]byte) error {
	for _, key := range raw {
		if err := r.list.AddKey(key); err != nil {
			return err
		}
	}
	if err := r.list.UseKey(raw[0]); err != nil {
		return err
	}
	kept := func(key []byte) bool {
		return slices.ContainsFunc(raw, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	for {
		have := r.list.GetKeys()
		if !slices.ContainsFunc(have, func(key []byte) bool { return !kept(key) }) {
			break
		}
		if err := r.list.RemoveKey(have[len(have)-1]); err != nil {
			return err
		}
	}
	for _, key := range raw { // those that stood behind a removed one
		if err := r.list.AddKey(key); err != nil {
			return err
		}
	}
	return nil
}

// followKeys takes the keys of a source whenever they change.
func (g *Gossip) followKeys(ctx context.Context, source KeySource) {
	t := time.NewTicker(keyCheck)
	defer t.Stop()
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		switch changed, err := g.ring.take(source.Keys()); {
		case err != nil && err.Error() != told:
			told = err.Error()
			g.logger.Error("new gossip keys can't be used, the old ones stay", "err", err)
		case changed:
			told = ""
			g.logger.Info("gossip keys changed", "keys", len(g.ring.now.Load().raw))
		}
	}
}
