package wire

// ObjectsParts is an Objects whose documents come in an order.
type ObjectsParts struct {
	ID      uint64
	Objects []ObjectItem
	Missing []string
	Next    string // the first key that had no room; "" = all had
	Stale   bool
}

// ObjectItem is one of them.
type ObjectItem struct {
	Key string
	Object
}

// AppendObjects appends the Objects of r in msgpack.
func AppendObjects(dst []byte, r *ObjectsParts) []byte {
	entries := byte(4)
	if r.Next != "" {
		entries++
	}
	if r.Stale {
		entries++
	}
	dst = append(dst, 0x80|entries)
	dst = appendString(appendString(dst, "t"), TReply)
	dst = appendUint(appendString(dst, "id"), r.ID)
	dst = appendHead(appendString(dst, "objects"), 0x80, 0xde, len(r.Objects))
	for i := range r.Objects {
		o := &r.Objects[i]
		dst = append(appendString(dst, o.Key), 0x82)
		dst = appendUint(appendString(dst, "v"), uint64(o.V))
		dst = appendData(appendString(dst, "data"), o.Data)
	}
	dst = appendHead(appendString(dst, "missing"), 0x90, 0xdc, len(r.Missing))
	for _, key := range r.Missing {
		dst = appendString(dst, key)
	}
	if r.Next != "" {
		dst = appendString(appendString(dst, "next"), r.Next)
	}
	if r.Stale {
		dst = append(appendString(dst, "stale"), 0xc3)
	}
	return dst
}
