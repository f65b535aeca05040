package gossip

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
)

// attempt is what happened while a seed was being joined. memberlist's error is
// a text; this says which of the usual mistakes it was.
type attempt struct {
	// Fixed.
	keys    *keys
	cluster string

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
	t.try, t.tried = &attempt{keys: t.ring.now.Load(), cluster: t.cluster}, addr
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
	case otherCluster(a.reply, a.cluster):
		other, _, _ := cutLabel(a.reply)
		return explained(ErrWrongCluster, "gossip: %s is of the cluster %q, this node of %q: check --cluster on both, and --join here", addr, other, a.cluster)
	case foreign(a.reply, a.keys, a.cluster):
		return explained(ErrWrongKey, "gossip: %s answered but not with our key: check --gossip-key on both", addr)
	case len(a.reply) > 0 && a.reply[0] != encrypted && a.reply[0] != labelMagic:
		return explained(ErrNotGossip, "gossip: %s answered but doesn't speak gossip: check the port", addr)
	}
	return fmt.Errorf("gossip: %s refused: %w", addr, err)
}

// otherCluster says that a reply names another cluster than ours.
func otherCluster(reply []byte, cluster string) bool {
	label, _, err := cutLabel(reply)
	return err == nil && label != "" && label != cluster
}

// foreign says that a reply is sealed, but not with a key of ours.
func foreign(reply []byte, ours *keys, cluster string) bool {
	if len(reply) < headerSize+leastSealed || reply[0] != encrypted {
		return false
	}
	header, sealed := reply[:headerSize], reply[headerSize:]
	if uint64(len(sealed)) != uint64(binary.BigEndian.Uint32(header[1:])) {
		return false
	}
	_, ok := ours.opens(sealed, append(header[:headerSize:headerSize], cluster...), nil)
	return !ok
}
