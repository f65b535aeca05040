package wire

import (
	"fmt"
	"math"
	"slices"
)

// ParseHellos reads what AppendHellos wrote. It believes no claimed length and
// checks every value as Check does, so b need not have been checked.
//
// User and Rooms alias b, which must not change as long as they are used, and
// keep all of it in memory: use them at once, or copy them. Users who are in the
// same room are told of it in the same bytes. Memberships alias nothing of b: the
// ids of all of them share one string, which stays as long as one of them does.
func ParseHellos(b Data) ([]Hello, error) { return new(HelloReader).Parse(b) }

// HelloReader is ParseHellos for who reads many: it uses its memory again. The
// zero value is ready to use; it is not safe for concurrent use.
type HelloReader struct {
	ids         []RoomID
	infos       []Data
	ends        []int
	text        []byte
	memberships []Membership
	shown       []Data
	hellos      []Hello
}

// Parse is ParseHellos; what it returns is valid until the next call of a
// method.
func (h *HelloReader) Parse(b Data) ([]Hello, error) {
	r := helloReader{b: b, to: h}
	if n := r.array(1); n != helloArrays {
		r.stop("hellos of %d parts", n)
	}
	ids, infos := r.rooms()
	memberships := r.memberships(ids)
	shown := r.shown(infos)
	hellos := r.users(memberships, shown)
	if len(r.b) > 0 {
		r.stop("%d bytes follow the hellos", len(r.b))
	}
	if r.err != nil {
		return nil, r.err
	}
	return hellos, nil
}

// Reset lets go of the bytes that were parsed, and of scratch that is larger than
// a usual batch's.
func (h *HelloReader) Reset() {
	const most = 1 << 14
	if cap(h.ids) > most || cap(h.memberships) > most || cap(h.shown) > most {
		*h = HelloReader{}
		return
	}
	clear(h.ids)
	clear(h.infos)
	clear(h.memberships)
	clear(h.shown)
	clear(h.hellos)
}

// sized is n elements, in s's memory if there is room. They are not cleared.
func sized[T any](s []T, n int) []T {
	if s == nil {
		return make([]T, n) // also of none: it is not nil
	}
	return slices.Grow(s[:0], n)[:n]
}

// helloReader reads hellos from the front of b. Its first error ends b; what it
// reads then is zero, and the error stays the first.
type helloReader struct {
	b   []byte
	to  *HelloReader
	err error
}

func (r *helloReader) stop(format string, args ...any) {
	r.failed(fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...))
}

func (r *helloReader) failed(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// array reads the head of an array whose items have values each, and returns
// how many items there are.
func (r *helloReader) array(values int) int {
	h, err := scanHead(r.b)
	switch {
	case err != nil:
		r.failed(err)
		return 0
	case h.kind != kindArray || h.n%values != 0:
		r.stop("expected an array of %d values each", values)
		return 0
	case h.n > len(r.b)-h.size: // each value takes a byte at least
		r.stop("%d values claimed, %d bytes left", h.n, len(r.b)-h.size)
		return 0
	}
	r.b = r.b[h.size:]
	return h.n / values
}

func (r *helloReader) number() uint64 {
	u, n := plainUint(r.b)
	if n == 0 || u > math.MaxInt64 {
		r.stop("expected a natural number")
		return 0
	}
	r.b = r.b[n:]
	return u
}

// below reads a number below n.
func (r *helloReader) below(n int) int {
	u := r.number()
	if u >= uint64(n) {
		r.stop("%d, where only numbers below %d are possible", u, n)
		return 0
	}
	return int(u)
}

func (r *helloReader) bool() bool {
	if len(r.b) == 0 || r.b[0] != 0xc2 && r.b[0] != 0xc3 {
		r.stop("expected true or false")
		return false
	}
	v := r.b[0] == 0xc3
	r.b = r.b[1:]
	return v
}

// object reads a map; nil is nil.
func (r *helloReader) object() Data {
	size := plainMap(r.b, envelope)
	if size == 0 {
		var err error
		if size, err = skip(r.b, 1); err != nil {
			r.failed(err)
			return nil
		}
	}
	d := Data(r.b[:size:size])
	r.b = r.b[size:]
	if !d.IsSet() {
		return nil
	}
	if !d.IsObject() {
		r.stop("a description that is no map")
		return nil
	}
	return d
}

// text reads a string, as bytes of b.
func (r *helloReader) text() []byte {
	h, err := scanHead(r.b)
	if err != nil {
		r.failed(err)
		return nil
	}
	if h.kind != kindString {
		r.stop("an id that is no string")
		return nil
	}
	s, err := scanString(r.b[h.size:], h)
	if err != nil {
		r.failed(err)
		return nil
	}
	r.b = r.b[h.size+h.n:]
	return s
}

// rooms reads the ids and RoomInfos of all rooms, by their numbers.
func (r *helloReader) rooms() ([]RoomID, []Data) {
	n := r.array(roomValues)
	h := r.to
	h.ids, h.infos, h.ends, h.text = sized(h.ids, n), sized(h.infos, n), sized(h.ends, n), slices.Grow(h.text[:0], 16*n)
	ids, infos, ends, text := h.ids, h.infos, h.ends, h.text // text is that of all ids
	for i := range n {
		text = append(text, r.text()...)
		ends[i] = len(text)
		infos[i] = r.object()
	}
	h.text = text
	all, start := string(text), 0
	for i, end := range ends {
		ids[i] = RoomID(all[start:end])
		start = end
	}
	return ids, infos
}

func (r *helloReader) memberships(rooms []RoomID) []Membership {
	r.to.memberships = sized(r.to.memberships, r.array(membershipValues))
	out := r.to.memberships
	for i := range out {
		n := r.below(len(rooms))
		if r.err != nil {
			return nil
		}
		out[i] = Membership{Room: rooms[n], From: Seq(r.number()), V: Seq(r.number())}
	}
	return out
}

func (r *helloReader) shown(infos []Data) []Data {
	r.to.shown = sized(r.to.shown, r.array(shownValues))
	out := r.to.shown
	for i := range out {
		n := r.below(len(infos))
		if r.err != nil {
			return nil
		}
		if infos[n] == nil {
			r.stop("room %d is shown and not described", n)
			return nil
		}
		out[i] = infos[n]
	}
	return out
}

func (r *helloReader) users(memberships []Membership, shown []Data) []Hello {
	n := r.array(userValues)
	if n > MaxHellos {
		r.stop("%d hellos, at most %d are allowed", n, MaxHellos)
		return nil
	}
	r.to.hellos = sized(r.to.hellos, n)
	out := r.to.hellos
	for i := range out {
		h := &out[i]
		if h.User = r.object(); h.User == nil {
			r.stop("a hello without its user")
			return nil
		}
		h.RoomsV, h.More = Seq(r.number()), r.bool()
		m, k := r.below(len(memberships)+1), r.below(len(shown)+1)
		h.Memberships, memberships = memberships[:m:m], memberships[m:]
		h.Rooms, shown = shown[:k:k], shown[k:]
	}
	if len(memberships)+len(shown) > 0 {
		r.stop("%d memberships and %d rooms of nobody", len(memberships), len(shown))
	}
	return out
}
