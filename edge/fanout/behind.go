package fanout

import "time"

// behind tells how late a shard is with its batches. It is guarded by the shard's
// mu; a turn costs it two looks at the clock.
type behind struct {
	oldest  time.Time     // when the first of the batches in mail came; zero = there is none
	inHand  time.Time     // the same of those that the shard is at
	slowest time.Duration // of those that are done, since somebody asked
}

// came notes a batch in the mail.
func (b *behind) came() {
	if b.oldest.IsZero() {
		b.oldest = time.Now()
	}
}

// taken notes that the shard is at all of them now, and reports whether there are
// any.
func (b *behind) taken() bool {
	b.inHand, b.oldest = b.oldest, time.Time{}
	return !b.inHand.IsZero()
}

// done notes that what was taken is written.
func (b *behind) done() {
	b.slowest, b.inHand = max(b.slowest, time.Since(b.inHand)), time.Time{}
}

// ask is the longest that a batch took, or has taken so far, since ask was called
// last.
func (b *behind) ask() time.Duration {
	longest := b.slowest
	b.slowest = 0
	for _, since := range []time.Time{b.inHand, b.oldest} {
		if !since.IsZero() {
			longest = max(longest, time.Since(since))
		}
	}
	return longest
}

// Behind is how far the engine is behind: the longest time between Publish and the
// last write of a batch, in any shard, since Behind was called last. A batch that a
// shard has yet to write counts with the time so far. A socket that takes nothing
// doesn't count: it has no part in a batch any more.
func (e *Engine) Behind() time.Duration {
	longest := time.Duration(0)
	for _, s := range e.shards {
		s.mu.Lock()
		longest = max(longest, s.behind.ask())
		s.mu.Unlock()
	}
	return longest
}
