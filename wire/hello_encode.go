package wire

import (
	"fmt"
	"strconv"
)

// WelcomeParts is a Welcome whose larger parts are encoded already.
type WelcomeParts struct {
	Session string
	User    Data   // a UserInfo
	Rooms   []Data // a RoomInfo each
	More    bool
	RoomsV  Seq
	// Epoch, At (a position per frame log), Behind and V are the cursor.
	Epoch   string
	At      []Seq
	Behind  map[Channel]Seq
	V       Seq
	Edge    EdgeInfo
	Ping    int // seconds
	Resumed bool
}

// AppendWelcome appends the Welcome of w in msgpack.
func AppendWelcome(dst []byte, w *WelcomeParts) []byte {
	entries := 9
	if w.More {
		entries++
	}
	dst = append(dst, 0x80|byte(entries))
	dst = appendString(appendString(dst, "t"), TWelcome)
	dst = appendString(appendString(dst, "session"), w.Session)
	dst = appendData(appendString(dst, "user"), w.User)
	dst = appendHead(appendString(dst, "rooms"), 0x90, 0xdc, len(w.Rooms))
	for _, r := range w.Rooms {
		dst = appendData(dst, r)
	}
	if w.More {
		dst = append(appendString(dst, "more"), 0xc3)
	}
	dst = appendUint(appendString(dst, "rooms_v"), uint64(w.RoomsV))
	dst = w.appendCursor(appendString(dst, "cursor"))
	dst = append(appendString(dst, "edge"), 0x82)
	dst = appendString(appendString(dst, "id"), w.Edge.ID)
	dst = appendString(appendString(dst, "region"), w.Edge.Region)
	dst = appendUint(appendString(dst, "ping"), uint64(max(w.Ping, 0)))
	return appendBool(appendString(dst, "resumed"), w.Resumed)
}

func (w *WelcomeParts) appendCursor(dst []byte) []byte {
	entries := byte(3)
	if len(w.Behind) > 0 {
		entries++
	}
	dst = append(dst, 0x80|entries)
	dst = appendString(appendString(dst, "epoch"), w.Epoch)
	dst = appendHead(appendString(dst, "at"), 0x80, 0xde, len(w.At))
	for p, seq := range w.At {
		var digits [4]byte // a log's number is below MaxLogs
		name := strconv.AppendUint(digits[:0], uint64(p), 10)
		dst = append(append(dst, 0xa0|byte(len(name))), name...)
		dst = appendUint(dst, uint64(seq))
	}
	if len(w.Behind) > 0 {
		dst = appendHead(appendString(dst, "behind"), 0x80, 0xde, len(w.Behind))
		for ch, seq := range w.Behind {
			dst = appendUint(appendString(dst, string(ch)), uint64(seq))
		}
	}
	return appendUint(appendString(dst, "v"), uint64(w.V))
}

// AppendUserInfo appends u in msgpack, as it stands in a Welcome.
func AppendUserInfo(dst []byte, u *UserInfo) Data {
	dst = append(dst, 0x83)
	dst = appendString(appendString(dst, "id"), string(u.ID))
	dst = appendUint(appendString(dst, "v"), uint64(u.V))
	return appendData(appendString(dst, "data"), u.Data)
}

// AppendRoomInfo appends r in msgpack, as it stands in a Welcome.
func AppendRoomInfo(dst []byte, r *RoomInfo) Data {
	entries := byte(6)
	if r.TS != 0 {
		entries++
	}
	dst = append(dst, 0x80|entries)
	dst = appendString(appendString(dst, "id"), string(r.ID))
	dst = appendUint(appendString(dst, "p"), uint64(r.P))
	dst = appendUint(appendString(dst, "seq"), uint64(r.Seq))
	dst = appendUint(appendString(dst, "member_count"), uint64(max(r.MemberCount, 0)))
	dst = appendUint(appendString(dst, "v"), uint64(r.V))
	if r.TS != 0 {
		dst = appendUint(appendString(dst, "ts"), uint64(max(r.TS, 0)))
	}
	return appendData(appendString(dst, "data"), r.Data)
}

// RoomInfoID is the id of a RoomInfo as AppendRoomInfo makes it. It allocates
// the id only, and fails on anything that does not begin with one.
func RoomInfoID(info Data) (RoomID, error) {
	id, err := roomInfoID(info)
	return RoomID(id), err
}

// roomInfoID is RoomInfoID as bytes of info.
func roomInfoID(info Data) ([]byte, error) {
	const key = "\xa2id" // the first of AppendRoomInfo's entries
	h, err := scanHead(info)
	if err != nil {
		return nil, err
	}
	b := info[h.size:]
	if h.kind != kindMap || h.n == 0 || len(b) < len(key) || string(b[:len(key)]) != key {
		return nil, fmt.Errorf("%w: a room that does not begin with its id", ErrMalformed)
	}
	b = b[len(key):]
	if h, err = scanHead(b); err != nil {
		return nil, err
	}
	if h.kind != kindString {
		return nil, fmt.Errorf("%w: a room's id that is no string", ErrMalformed)
	}
	return scanString(b[h.size:], h)
}

// appendData appends d itself, which is nil if it is empty.
func appendData(dst []byte, d Data) []byte {
	if len(d) == 0 {
		return append(dst, 0xc0)
	}
	return append(dst, d...)
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}
