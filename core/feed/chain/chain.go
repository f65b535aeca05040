package chain

import (
	"log/slog"
	"sync"
	"time"

	"selvedge/wire"
)

// Config sets up a Chain. It is not modified.
type Config struct {
	Dir        string     // where it is kept, made if missing; "" = nowhere
	Epoch      string     // the log's
	P          wire.LogID // the log's
	Floor, End wire.Seq   // of the log now
	// Channels is how many are remembered at least before some are forgotten;
	// 0 = a million.
	Channels int
	Logger   *slog.Logger // nil = none
}

// Last is a channel's last frame. The zero value means that none is known.
type Last struct {
	Seq wire.Seq
	TS  int64 // Unix ms
}

// shards divides the channels so that a snapshot holds up the log for the
// copying of one of them at most.
const shards = 64

// Chain is one log's. One goroutine adds, one saves; what reads is safe for
// concurrent use.
type Chain struct {
	cfg   Config
	pages *pages // nil = not kept

	mu sync.RWMutex
	// Guarded by mu. The log was read up to pos, but of what lies at or below
	// base not everything was seen: a channel whose entry is not above it may
	// have had later frames, up to base.
	pos, base wire.Seq
	channels  [shards]map[wire.Key]Last
	copying   *copying // while a snapshot is written
	// recent has the predecessors, plus one, of the frames after written, which
	// is where a page ends; 0 = not known. Those up to written are in pages.
	written wire.Seq
	recent  []uint64

	// Owned by the goroutine that saves.
	savedPos wire.Seq
	savedAt  time.Time
	took     time.Duration // of the last save
	failed   bool          // the last save did
	tried    wire.Seq      // the floor at which forget looked last
}

// Open is the chain as far as it was kept, or one that begins at the log's
// floor. Its owner adds what follows Pos.
func Open(cfg Config) *Chain {
	if cfg.Channels == 0 {
		cfg.Channels = 1 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Chain{cfg: cfg}
	if cfg.Dir != "" {
		c.load()
	}
	if c.pos < cfg.Floor { // some went unseen: trimmed while nobody looked
		c.pos, c.base = cfg.Floor, cfg.Floor
	}
	for i := range c.channels {
		if c.channels[i] == nil {
			c.channels[i] = map[wire.Key]Last{}
		}
	}
	c.savedPos, c.savedAt = c.pos, time.Now()
	c.beginPageLocked(c.pos)
	return c
}

func shardOf(k wire.Key) int { return int(k >> 58) }

// Pos is how far the log was read.
func (c *Chain) Pos() wire.Seq {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.pos
}

// Add enters the log's next frame and returns its predecessor: no frame of the
// channel lies between. A jump in the log's own numbers raises it for every
// channel (rule 4).
func (c *Chain) Add(k wire.Key, seq wire.Seq, ts int64) (prev wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq <= c.pos {
		return seq - 1 // a repetition: nothing is promised
	}
	if seq > c.pos+1 {
		c.base = seq - 1
	}
	i := shardOf(k)
	c.copyLocked(i)
	prev = max(c.channels[i][k].Seq, c.base)
	c.channels[i][k] = Last{seq, ts}
	c.pushLocked(seq, uint64(prev)+1)
	c.pos = seq
	return prev
}

// Pass goes over a frame whose channel can't be told.
func (c *Chain) Pass(seq wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq <= c.pos {
		return
	}
	if seq > c.pos+1 {
		c.base = seq - 1
	}
	c.pushLocked(seq, 0)
	c.pos = seq
}

// Skip says that what is up to seq, and was not added, never will be: it was
// trimmed before anybody saw it.
func (c *Chain) Skip(seq wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq > c.pos {
		c.pos, c.base = seq, seq
		c.beginPageLocked(seq)
	}
}

// Last is a channel's last frame, though it may be gone.
func (c *Chain) Last(k wire.Key) Last {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.channels[shardOf(k)][k]
}

// Reaches is the position that a channel's frames may reach up to: its last
// frame, or what was not seen.
func (c *Chain) Reaches(k wire.Key) wire.Seq {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return max(c.channels[shardOf(k)][k].Seq, c.base)
}

// Moved reports whether a channel has had, or may have had, frames after since.
func (c *Chain) Moved(k wire.Key, since wire.Seq) bool { return c.Reaches(k) > since }

// Base is the position up to which not everything was seen.
func (c *Chain) Base() wire.Seq {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.base
}

// Channels is the number of channels that are known.
func (c *Chain) Channels() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := 0
	for i := range c.channels {
		n += len(c.channels[i])
	}
	return n
}
