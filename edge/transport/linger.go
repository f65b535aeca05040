package transport

import "time"

// linger is a conn that is closing after its last bytes.
type linger struct {
	c        *Conn // nil when it is closed
	err      error // for Closed
	rest     []byte
	deadline time.Time
}

// lingers are all of a loop. All wait equally long, so that the order of their
// coming is the order of their deadlines and no timer is needed.
type lingers struct {
	of    map[*Conn]*linger
	queue []*linger
}

func (ls *lingers) add(c *Conn, err error, rest []byte, deadline time.Time) *linger {
	if ls.of == nil {
		ls.of = map[*Conn]*linger{}
	}
	lg := &linger{c: c, err: err, rest: rest, deadline: deadline}
	ls.of[c] = lg
	ls.queue = append(ls.queue, lg)
	return lg
}

// drop forgets c and returns what was known of it, or nil.
func (ls *lingers) drop(c *Conn) *linger {
	lg := ls.of[c]
	if lg == nil {
		return nil
	}
	delete(ls.of, c)
	lg.c, lg.rest = nil, nil
	return lg
}

// expired returns the next conn that is past its deadline, or nil.
func (ls *lingers) expired(now time.Time) *Conn {
	for len(ls.queue) > 0 {
		lg := ls.queue[0]
		if lg.c != nil && now.Before(lg.deadline) {
			return nil
		}
		ls.queue[0] = nil
		ls.queue = ls.queue[1:]
		if lg.c != nil {
			return lg.c
		}
	}
	ls.queue = nil
	return nil
}
