package link

import (
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// A watermark waits for those of the link's other logs, on each link for another time:
// those of all links come at one instant, and are not sent, answered and acknowledged
// all at once. An edge takes a watermark for the present for seconds (rule 5).
const (
	minCompanyWait = 10 * time.Millisecond
	maxCompanyWait = 250 * time.Millisecond
)

// company has the watermarks of a link's logs written together: each log has a stream
// of its own, and what is written to several at once shares a packet. An idle link of
// 17 logs sends one each second instead of 17, and gets one acknowledgement. It is safe
// for concurrent use.
type company struct {
	wait time.Duration // fixed

	mu      sync.Mutex
	waiting []*turn // guarded by mu
	timed   bool    // guarded by mu: flush will be called
}

// turn is one log's write.
type turn struct {
	out  io.Writer
	buf  []byte
	from time.Time     // of the first watermark in buf
	done chan struct{} // closed when buf is written, or could not be
	err  error         // valid then
}

func newCompany() *company {
	return &company{wait: minCompanyWait + rand.N(maxCompanyWait-minCompanyWait)}
}

// join has buf, whose first watermark was taken at a time, written to out within
// maxCompanyWait, unless the turn is withdrawn, or the process has stood still and the
// watermark is too old. Until it is done or withdrawn, both are its own.
func (c *company) join(out io.Writer, buf []byte, from time.Time) *turn {
	t := &turn{out: out, buf: buf, from: from, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, t)
	c.timeLocked()
	return t
}

// timeLocked has flush called, if it is not going to be.
func (c *company) timeLocked() {
	if !c.timed {
		c.timed = true
		time.AfterFunc(c.wait, c.flush)
	}
}

// withdraw takes a turn back. It fails if the turn is being written: wait for done.
func (c *company) withdraw(t *turn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.waiting {
		if w == t {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// flush writes what waits. A stream that takes no more holds up nobody for long: there is
// another flush for who waits behind it.
func (c *company) flush() {
	c.mu.Lock()
	c.timed = false
	for len(c.waiting) > 0 {
		t := c.waiting[0]
		c.waiting = c.waiting[1:]
		if len(c.waiting) > 0 {
			c.timeLocked()
		}
		c.mu.Unlock()
		if time.Since(t.from) <= watermarkAge {
			_, t.err = t.out.Write(t.buf)
		}
		close(t.done)
		c.mu.Lock()
	}
	c.waiting = nil
	c.mu.Unlock()
}
