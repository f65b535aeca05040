package wire

import "slices"

// stateBytes is what a state record takes beside its ids and data, mostly.
const stateBytes = 48

// AppendStateRecord appends r as Msgpack.Append does, without reflection: a core
// encodes each record twice.
func AppendStateRecord(dst []byte, r *StateRecord) []byte {
	dst = slices.Grow(dst, stateBytes+len(r.Room)+len(r.User)+len(r.Data))
	head := len(dst)
	dst = append(dst, 0x81)
	dst = appendString(appendString(dst, "k"), string(r.Kind))
	if r.Room != "" {
		dst = appendString(appendString(dst, "r"), string(r.Room))
		dst[head]++
	}
	if r.User != "" {
		dst = appendString(appendString(dst, "u"), string(r.User))
		dst[head]++
	}
	if r.Deleted {
		dst = append(appendString(dst, "d"), 0xc3)
		dst[head]++
	}
	if len(r.Data) > 0 {
		dst = append(appendString(dst, "data"), r.Data...)
		dst[head]++
	}
	for _, n := range [...]struct {
		name  string
		value uint64
	}{{"n", r.Version}, {"f", uint64(r.From)}, {"v", uint64(r.V)}, {"c", uint64(max(r.MemberCount, 0))}} {
		if n.value != 0 {
			dst = appendUint(appendString(dst, n.name), n.value)
			dst[head]++
		}
	}
	return dst
}
