package feed

import (
	"context"
	"time"

	"selvedge/wire"
)

const (
	// keepEvery paces the look at what is to be written down.
	keepEvery = 2 * time.Second
	// progressEvery paces the word on how far a long start is.
	progressEvery = 5 * time.Second
)

// keep writes down, beside the feed's work, how far the logs were read and
// where their channels end, and tells people how a long start gets on.
func (f *Feed) keep(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	progress := time.NewTicker(progressEvery)
	defer progress.Stop()
	started := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			f.save(now)
		case now := <-progress.C:
			select {
			case <-f.ready:
				progress.Stop()
			default:
				read, of := f.progress()
				f.cfg.Logger.Info("reading the logs to where they end", "frames", read, "of", of, "after", now.Sub(started).Round(time.Second))
			}
		}
	}
}

func (f *Feed) save(now time.Time) {
	for p, c := range f.chain {
		if err := c.Trim(f.cfg.Log.Floor(wire.LogID(p))); err != nil {
			f.cfg.Logger.Warn("old pages can't be removed", "log", p, "err", err)
		}
		if !c.Due(now) {
			continue
		}
		if err := c.Save(); err != nil {
			f.cfg.Logger.Warn("where channels end can't be kept now: a start would read more", "log", p, "err", err)
		}
	}
}

// progress is how many frames were read of those that are to be read before the
// feed is ready.
func (f *Feed) progress() (read, of wire.Seq) {
	for p, c := range f.chain {
		read += min(c.Pos(), f.upto[p]) - f.begun[p]
		of += f.upto[p] - f.begun[p]
	}
	return read, of
}

func (f *Feed) closeChains() {
	for p, c := range f.chain {
		if err := c.Close(); err != nil {
			f.cfg.Logger.Warn("where channels end can't be kept: the next start reads more", "log", p, "err", err)
		}
	}
}
