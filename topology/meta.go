package topology

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// MaxMeta is the most bytes that a node's description may take: memberlist
// carries no more, and panics when given more.
const MaxMeta = 512

const (
	metaVersion = 1
	// metaFields is the length of the array that follows the version byte.
	// A later build may append fields without a new version: they are skipped.
	metaFields = 13
	// metaLeast is what the first build wrote: without the log.
	metaLeast = 12
)

// AppendMeta appends n's description, without its ID, to dst: a version byte,
// then a msgpack array of role, state, six texts, latitude, longitude, load,
// whether the URL is regional, and the log. It fails with ErrBadNode, or ErrMetaTooLarge,
// which names the sizes of the fields; dst is then returned as it was.
func (n *Node) AppendMeta(dst []byte) ([]byte, error) {
	if err := n.check(); err != nil {
		return dst, err
	}
	texts := n.texts()
	size := 0
	for _, t := range texts {
		size += len(*t.value)
	}
	if size > MaxMeta {
		return dst, n.tooLarge(size)
	}

	var buf bytes.Buffer
	buf.WriteByte(metaVersion)
	if err := n.encodeMeta(msgpack.NewEncoder(&buf)); err != nil {
		return dst, fmt.Errorf("encode node description: %w", err)
	}
	if buf.Len() > MaxMeta {
		return dst, n.tooLarge(buf.Len())
	}
	return append(dst, buf.Bytes()...), nil
}

func (n *Node) encodeMeta(enc *msgpack.Encoder) error {
	if err := enc.EncodeArrayLen(metaFields); err != nil {
		return err
	}
	for _, s := range []string{string(n.Role), string(n.State)} {
		if err := enc.EncodeString(s); err != nil {
			return err
		}
	}
	texts := n.texts()
	for _, t := range texts[:metaTexts] {
		if err := enc.EncodeString(*t.value); err != nil {
			return err
		}
	}
	for _, f := range []float64{n.Lat, n.Lon, n.Load} {
		if err := enc.EncodeFloat64(f); err != nil {
			return err
		}
	}
	if err := enc.EncodeBool(n.Regional); err != nil {
		return err
	}
	for _, t := range texts[metaTexts:] {
		if err := enc.EncodeString(*t.value); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) tooLarge(size int) error {
	var b strings.Builder
	for i, t := range n.texts() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d", t.name, len(*t.value))
	}
	return fmt.Errorf("%w: %d bytes, at most %d fit (%s): shorten the longest", ErrMetaTooLarge, size, MaxMeta, &b)
}

// ParseMeta decodes what AppendMeta wrote. The ID is empty: it travels as the
// name of the gossip member. It keeps nothing of b. It is safe on hostile bytes:
// values are decoded by type, and no claimed length is believed beyond the bytes
// at hand.
func ParseMeta(b []byte) (Node, error) {
	if len(b) > MaxMeta {
		return Node{}, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrBadMeta, len(b), MaxMeta)
	}
	if len(b) == 0 {
		return Node{}, fmt.Errorf("%w: it is empty", ErrBadMeta)
	}
	if b[0] != metaVersion {
		return Node{}, fmt.Errorf("%w: %d", ErrMetaVersion, b[0])
	}
	r := bytes.NewReader(b[1:])
	n, err := parseMeta(msgpack.NewDecoder(r), r)
	if err != nil {
		return Node{}, fmt.Errorf("%w: %w", ErrBadMeta, err)
	}
	if err := n.check(); err != nil {
		return Node{}, fmt.Errorf("%w: %w", ErrBadMeta, err)
	}
	return n, nil
}

func parseMeta(dec *msgpack.Decoder, r *bytes.Reader) (Node, error) {
	var n Node
	fields, err := dec.DecodeArrayLen()
	if err != nil {
		return n, err
	}
	if fields < metaLeast {
		return n, fmt.Errorf("%d fields, %d are needed", fields, metaLeast)
	}
	role, err := decodeText(dec, r)
	if err != nil {
		return n, err
	}
	state, err := decodeText(dec, r)
	if err != nil {
		return n, err
	}
	n.Role, n.State = Role(role), State(state)
	texts := n.texts()
	for _, t := range texts[:metaTexts] {
		if *t.value, err = decodeText(dec, r); err != nil {
			return n, err
		}
	}
	for _, f := range []*float64{&n.Lat, &n.Lon, &n.Load} {
		if *f, err = dec.DecodeFloat64(); err != nil {
			return n, err
		}
	}
	if n.Regional, err = dec.DecodeBool(); err != nil {
		return n, err
	}
	for _, t := range texts[metaTexts:min(len(texts), metaTexts+fields-metaLeast)] {
		if *t.value, err = decodeText(dec, r); err != nil {
			return n, err
		}
	}
	// Each skipped value takes at least a byte, so a false count ends with the input.
	for range fields - metaFields {
		if err := dec.Skip(); err != nil {
			return n, err
		}
	}
	if r.Len() > 0 {
		return n, fmt.Errorf("%d bytes too many", r.Len())
	}
	return n, nil
}

func decodeText(dec *msgpack.Decoder, r *bytes.Reader) (string, error) {
	size, err := dec.DecodeBytesLen()
	if err != nil {
		return "", err
	}
	if size < 0 || size > r.Len() {
		return "", fmt.Errorf("a text of %d bytes in %d", size, r.Len())
	}
	b := make([]byte, size)
	if err := dec.ReadFull(b); err != nil {
		return "", err
	}
	return string(b), nil
}
