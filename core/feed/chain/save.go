package chain

import (
	"errors"
	"slices"
	"time"

	"selvedge/wire"
)

const (
	// saveFrames and savePeriod bound what a process that is killed must read
	// again.
	saveFrames = 16 << 10
	savePeriod = time.Minute
	// saveShare is how much longer than a save the pause after it is, at least.
	saveShare = 20
)

// copying is a snapshot on its way. The log grows meanwhile: a shard that is to
// change is copied before.
type copying struct {
	done  [shards]bool
	early [shards][]byte // copied because of a change
}

// copyLocked saves shard i from a change, if a snapshot still needs it.
func (c *Chain) copyLocked(i int) {
	if s := c.copying; s != nil && !s.done[i] {
		s.early[i], s.done[i] = c.encodeLocked(i), true
	}
}

func (c *Chain) encodeLocked(i int) []byte {
	b := make([]byte, 0, len(c.channels[i])*entryBytes)
	for k, l := range c.channels[i] {
		b = appendEntry(b, k, l)
	}
	return b
}

// Save writes down what has been added, durably. Adding goes on meanwhile. After
// an error what was saved before holds.
func (c *Chain) Save() (err error) {
	if c.pages == nil {
		return nil
	}
	began := time.Now()
	c.mu.Lock()
	snap := snapshot{epoch: c.cfg.Epoch, p: c.cfg.P, pos: c.pos, base: c.base}
	written, prevs := c.written, slices.Clone(c.recent)
	c.copying = &copying{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.copying = nil
		c.mu.Unlock()
		c.savedAt, c.took, c.failed = time.Now(), time.Since(began), err != nil
	}()
	// Pages first: a snapshot promises them.
	if err = c.pages.write(uint64(written/pageLen), prevs); err != nil {
		return err
	}
	c.letGo(written, len(prevs)/pageLen*pageLen)
	i := 0
	err = c.writeSnapshot(snap, func() []byte {
		if i == shards {
			return nil
		}
		i++
		return c.takeShard(i - 1)
	})
	if err == nil {
		c.savedPos = snap.pos
	}
	return err
}

// takeShard is shard i as it was when the save began; never nil.
func (c *Chain) takeShard(i int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.copyLocked(i)
	b := c.copying.early[i]
	c.copying.early[i] = nil
	return b
}

// letGo drops the first n predecessors after written from memory: they are in
// pages.
func (c *Chain) letGo(written wire.Seq, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written == written { // else the log has jumped meanwhile
		c.recent = append(make([]uint64, 0, len(c.recent)-n+pageLen), c.recent[n:]...)
		c.written += wire.Seq(n)
	}
}

// Due reports whether it is time to save.
func (c *Chain) Due(now time.Time) bool {
	if c.pages == nil {
		return false
	}
	since, frames := now.Sub(c.savedAt), c.Pos()-c.savedPos
	soon := frames >= saveFrames && !c.failed
	return frames > 0 && (soon || since >= savePeriod) && since >= saveShare*c.took
}

// Trim takes note of the log's floor: what lies below for good is let go.
func (c *Chain) Trim(floor wire.Seq) error {
	c.forget(floor)
	return c.pages.trim(floor)
}

// Close saves what has been added and closes the files. Predecessors that are
// not in memory are not known afterwards.
func (c *Chain) Close() error {
	var err error
	if c.Pos() != c.savedPos {
		err = c.Save()
	}
	return errors.Join(err, c.pages.close())
}
