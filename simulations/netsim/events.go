package netsim

// event is something that happens at a time. Those of one time happen in the
// order of their links, and on a link in the order in which they were added.
type event struct {
	at     int64 // Unix nanoseconds
	link   uint64
	n      uint64
	happen func() // with Network.mu held
}

func (e *event) before(o *event) bool {
	switch {
	case e.at != o.at:
		return e.at < o.at
	case e.link != o.link:
		return e.link < o.link
	}
	return e.n < o.n
}

// events are those that are to come. Each packet is one: package container/heap
// would make garbage of each, twice.
type events struct {
	heap []event // the children of i are 2i+1 and 2i+2, and none comes before its parent
	n    uint64
}

func (es *events) add(at int64, link uint64, happen func()) {
	es.n++
	es.heap = append(es.heap, event{at, link, es.n, happen})
	h := es.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// next takes the first event that is due.
func (es *events) next(now int64) (event, bool) {
	h := es.heap
	if len(h) == 0 || h[0].at > now {
		return event{}, false
	}
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	es.heap = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			return first, true
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
