package cache

import "selvedge/wire"

// Last is the place and time of the channel's last frame, if it is held.
func (c *Channel) Last() (seq wire.Seq, ts int64, ok bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	frames := c.frames()
	if len(frames) == 0 {
		return 0, 0, false
	}
	f := frames[len(frames)-1]
	floor, live := c.Floor() // what is held below it is not the end
	return f.Seq, f.TS, live && f.Seq > floor
}
