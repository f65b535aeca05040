package load

import (
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"

	"selvedge/wire"
)

// kind is what a payload is to a measurement.
type kind uint8

const (
	aside   kind = iota // not counted: cursors, documents and the like
	message             // has a place in its channel
	left                // ends a channel, which may begin anew
)

// entry is what is known of a payload that was checked.
type entry struct {
	kind      kind
	channel   uint32 // number of its channel; 0 aside
	seq, prev uint64 // a message's place there
}

// book remembers the payloads that were decoded and checked in full, by their
// hash: the same one needs only its hash checked at every other socket. Safe for
// concurrent use.
type book struct {
	mu       sync.Mutex
	known    map[uint64]entry        // guarded by mu
	channels map[wire.Channel]uint32 // guarded by mu
}

func newBook() *book { return &book{known: map[uint64]entry{}, channels: map[wire.Channel]uint32{}} }

// maxKnown bounds what a book, and a checker's page of it, remembers; a payload
// that was forgotten is checked in full again.
const maxKnown = 1 << 16

// checker is one goroutine's page of a book.
type checker struct {
	book  *book
	known map[uint64]entry
}

func (b *book) checker() *checker { return &checker{book: b, known: map[uint64]entry{}} }

// check says what a payload is, or what is wrong with it.
func (c *checker) check(payload []byte) (entry, error) {
	hash := xxhash.Sum64(payload)
	if e, ok := c.known[hash]; ok {
		return e, nil
	}
	e, err := c.book.check(hash, payload)
	if err != nil {
		return e, err
	}
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[hash] = e
	return e, nil
}

func (b *book) check(hash uint64, payload []byte) (entry, error) {
	b.mu.Lock()
	e, ok := b.known[hash]
	b.mu.Unlock()
	if ok {
		return e, nil
	}
	e, ch, err := decode(payload)
	if err != nil {
		return e, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.kind != aside {
		number, ok := b.channels[ch]
		if !ok {
			number = uint32(len(b.channels))
			b.channels[ch] = number
		}
		e.channel = number
	}
	if len(b.known) >= maxKnown {
		clear(b.known)
	}
	b.known[hash] = e
	return e, nil
}

// decode decodes a payload in full.
func decode(payload []byte) (entry, wire.Channel, error) {
	var m struct {
		T       string       `json:"t"`
		Ch      wire.Channel `json:"ch"`
		From    wire.Data    `json:"from"` // a message's publisher, a gap's position
		Seq     uint64       `json:"seq"`
		Prev    uint64       `json:"prev"`
		Data    wire.Data    `json:"data"`
		Message string       `json:"message"`
	}
	if err := wire.Msgpack.Decode(payload, &m); err != nil {
		return entry{}, "", err
	}
	switch m.T {
	case wire.TMessage:
		if err := checkData(m.Data); err != nil {
			return entry{}, "", fmt.Errorf("message %d of %s: %w", m.Seq, m.Ch, err)
		}
		return entry{kind: message, seq: m.Seq, prev: m.Prev}, m.Ch, nil
	case wire.TLeft:
		return entry{kind: left}, m.Ch, nil
	case wire.TCursor, wire.TJoined, wire.TLive, wire.TObject, wire.TPong:
		return entry{}, "", nil
	case wire.TError:
		return entry{}, "", fmt.Errorf("the server says: %s", m.Message)
	}
	return entry{}, "", fmt.Errorf("a message of type %q, which nobody asked for", m.T)
}
