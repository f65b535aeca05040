package door

// place is where something stands in a list: a part of it, so that who leaves the
// list leaves nothing behind, and needs nothing to come in.
type place[T any] struct{ prev, next *T }

// placed is a *T that has its place in itself.
type placed[T any] interface {
	*T
	at() *place[T]
}

// list has its elements in the order of their coming. The zero value is empty.
type list[T any, E placed[T]] struct {
	first, last *T
	n           int
}

// push adds e, which must not be in.
func (l *list[T, E]) push(e *T) {
	if E(e).at().prev = l.last; l.last != nil {
		E(l.last).at().next = e
	} else {
		l.first = e
	}
	l.last = e
	l.n++
}

// remove takes e out, which must be in.
func (l *list[T, E]) remove(e *T) {
	at := E(e).at()
	if at.prev != nil {
		E(at.prev).at().next = at.next
	} else {
		l.first = at.next
	}
	if at.next != nil {
		E(at.next).at().prev = at.prev
	} else {
		l.last = at.prev
	}
	*at = place[T]{}
	l.n--
}
