package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What memberlist sends, as far as we look at it. A packet is a label, if the
// cluster has a name, and a sealed message; a stream begins with the same, the
// message with a type and the length of the rest. A label is a magic byte, a
// length and the name. A sealed message is a version, a nonce, and what AES-GCM
// made, which also covers the label and, in a stream, type and length.
const (
	labelMagic  = 244
	encrypted   = 10 // a stream's message type
	failure     = 13 // the type of an error, inside of the seal
	headerSize  = 1 + 4
	sealVersion = 1
	nonceSize   = 12
	tagSize     = 16
	leastSealed = 1 + nonceSize + tagSize
	// maxState is the most that a stream's first message may have: the state of
	// some thousand nodes.
	maxState = 4 << 20
)

// The reasons why what came is refused; see Refusal.
var (
	errForm    = errors.New("it is no gossip")
	errCluster = errors.New("it is another cluster's")
	errKey     = errors.New("it isn't sealed with a key of ours")
	errCrowd   = errors.New("too much comes from senders who are not known yet")
)

// opens says that a key opens a sealed message; also is what the seal covers
// beside it. Scratch is room for what was in it, and is returned, maybe larger.
func (k *keys) opens(sealed, also, scratch []byte) ([]byte, bool) {
	nonce, rest := sealed[1:1+nonceSize], sealed[1+nonceSize:]
	for _, key := range k.seal {
		if out, err := key.Open(scratch[:0], nonce, rest, also); err == nil {
			return out, true
		}
	}
	return scratch, false
}

// cutLabel splits a packet into its label and the rest.
func cutLabel(b []byte) (label string, rest []byte, err error) {
	if len(b) == 0 || b[0] != labelMagic {
		return "", b, nil
	}
	if len(b) < 2 || b[1] == 0 || len(b) < 2+int(b[1]) {
		return "", nil, errForm
	}
	end := 2 + int(b[1])
	return string(b[2:end]), b[end:], nil
}

// checkPacket says why a packet isn't one of our cluster's: errForm, errCluster or
// errKey; nil if it is. Scratch is as with opens.
func (k *keys) checkPacket(b []byte, cluster string, scratch []byte) ([]byte, error) {
	label, sealed, err := cutLabel(b)
	switch {
	case err != nil:
		return scratch, err
	case len(sealed) < leastSealed || sealed[0] != sealVersion:
		return scratch, errForm
	case label != cluster:
		return scratch, errCluster
	}
	scratch, ok := k.opens(sealed, []byte(label), scratch)
	if !ok {
		return scratch, errKey
	}
	return scratch, nil
}

// readHead reads the first message of a stream, and says why it isn't one of our
// cluster's, as checkPacket does, or that reading failed. It returns all that it
// has read: of a message that is refused too, so that its sender gets to read the
// answer. What a stranger claims is believed up to maxState bytes, and room is
// taken as they come.
func (k *keys) readHead(r io.Reader, cluster string) ([]byte, error) {
	head := make([]byte, 1, 4<<10)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	var err error
	if head[0] == labelMagic {
		if head, err = more(r, head, 1); err != nil {
			return head, err
		}
		if head, err = more(r, head, int(head[1])+1); err != nil {
			return head, err
		}
	}
	label, header, err := cutLabel(head)
	if err != nil {
		return head, err
	}
	if header[0] != encrypted {
		return head, errForm
	}
	at := len(head) - 1
	if head, err = more(r, head, headerSize-1); err != nil {
		return head, err
	}
	size := binary.BigEndian.Uint32(head[at+1:])
	if size < leastSealed || size > maxState {
		return head, fmt.Errorf("%w: a message of %d bytes", errForm, size)
	}
	if head, err = more(r, head, int(size)); err != nil {
		return head, err
	}
	header, sealed := head[at:at+headerSize], head[at+headerSize:]
	switch {
	case label != cluster:
		return head, errCluster
	case sealed[0] != sealVersion:
		return head, errForm
	}
	if _, ok := k.opens(sealed, append(header[:headerSize:headerSize], label...), nil); !ok {
		return head, errKey
	}
	return head, nil
}

// more appends n bytes of r to b. Its room grows with what has come.
func more(r io.Reader, b []byte, n int) ([]byte, error) {
	const step = 64 << 10
	for n > 0 {
		part := min(n, step)
		at := len(b)
		b = append(b, make([]byte, part)...)
		if got, err := io.ReadFull(r, b[at:]); err != nil {
			return b[:at+got], err
		}
		n -= part
	}
	return b, nil
}

// refusalTo is what a stream is answered that is refused: our cluster's name if
// it asked for another, and then, as memberlist would, an error sealed with our
// key, which a node of ours could read.
func (k *keys) refusalTo(reason error, cluster string, nonce [nonceSize]byte) []byte {
	var out []byte
	if errors.Is(reason, errCluster) && cluster != "" {
		out = append(out, labelMagic, byte(len(cluster)))
		out = append(out, cluster...)
	}
	text := "refused: " + reason.Error()
	plain := append([]byte{failure, 0x81, 0xa5}, "Error"...) // msgpack: a map of one
	plain = append(plain, 0xd9, byte(len(text)))
	plain = append(plain, text...)

	header := make([]byte, headerSize)
	header[0] = encrypted
	binary.BigEndian.PutUint32(header[1:], uint32(1+nonceSize+len(plain)+tagSize))
	out = append(out, header...)
	out = append(out, sealVersion)
	out = append(out, nonce[:]...)
	return k.seal[0].Seal(out, nonce[:], plain, append(header, cluster...))
}
