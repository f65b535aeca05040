package gossip

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
)

// attempt is what happened while a seed was being joined. memberlist's error is
// a text; this says which of the usual mistakes it was.
type attempt struct {
	key []byte

	mu      sync.Mutex
	dialErr error
	reply   []byte // the first bytes that the seed answered
}

// maxReply is more than a refusal has. Longer answers are a peer's state, which
// only somebody with our key sends.
const maxReply = 4 << 10

// begin makes the next stream to addr the attempt's.
func (t *transport) begin(addr string) *attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.try, t.tried = &attempt{key: t.key}, addr
	return t.try
}

func (t *transport) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.try, t.tried = nil, ""
}

func (a *attempt) dialed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dialErr = err
}

func (a *attempt) heard(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply = append(a.reply, b[:min(len(b), maxReply-len(a.reply))]...)
}

// explain turns memberlist's error into one that says what to do.
func (a *attempt) explain(addr netip.AddrPort, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.dialErr != nil:
		return fmt.Errorf("gossip: %s can't be reached: %w", addr, a.dialErr)
	case foreign(a.reply, a.key):
		return explained(ErrWrongKey, "gossip: %s answered but not with our key: check --gossip-key on both", addr)
	case len(a.reply) > 0 && a.reply[0] != encrypted:
		return explained(ErrNotGossip, "gossip: %s answered but doesn't speak gossip: check the port", addr)
	}
	return fmt.Errorf("gossip: %s refused: %w", addr, err)
}

// memberlist's encrypted stream message: a type, the length of the rest, then a
// version, a nonce, and what AES-GCM made, which also covers type and length. A
// node that can't read ours answers with an error, encrypted with its own key: so
// a sealed answer that our key doesn't open tells that the keys differ.
const (
	encrypted  = 10 // message type
	headerSize = 1 + 4
	nonceSize  = 12
)

func foreign(reply, key []byte) bool {
	if len(reply) < headerSize || reply[0] != encrypted {
		return false
	}
	header, rest := reply[:headerSize], reply[headerSize:]
	if uint64(len(rest)) != uint64(binary.BigEndian.Uint32(header[1:])) || len(rest) < 1+nonceSize {
		return false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	_, err = gcm.Open(nil, rest[1:1+nonceSize], rest[1+nonceSize:], header)
	return err != nil
}
