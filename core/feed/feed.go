package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/directory"
	"selvedge/core/feed/chain"
	corelog "selvedge/core/log"
	"selvedge/internal/bug"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Log is the part of core/log.Store that a feed reads.
type Log interface {
	Epoch() string
	Logs() int
	End(p wire.LogID) wire.Seq
	Floor(p wire.LogID) wire.Seq
	Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error
	Read(ctx context.Context, p wire.LogID, after wire.Seq, maxBytes int) ([]corelog.Stored, error)
	ReadBefore(ctx context.Context, ch wire.Channel, before wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error)
	ReadAt(ctx context.Context, p wire.LogID, seqs []wire.Seq) ([]corelog.Stored, error)
	ReadChannel(ctx context.Context, ch wire.Channel, after, upto wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error)
}

// Config sets up a Feed. It is not modified.
type Config struct {
	Log  Log
	View *directory.View
	// Publish appends a client's post.
	Publish func(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error)
	// Signal passes a signal on to every link but the one it came from.
	Signal func(node string, s *wire.Signal)
	// Dir is where it is kept how far the logs were read and where their
	// channels end, so that a start need not read all frames; "" = nowhere.
	Dir string
	// TailBytes bounds the recent end of each log that is held in memory, in
	// bytes; 0 = 16 MiB.
	TailBytes int
	// Queried is called for each question of an edge; nil = not.
	Queried func(kind wire.QueryKind)
	Logger  *slog.Logger
}

// watermarkEvery paces the watermarks (rule 5): an edge's answer is fresh if
// its last one is younger than three of them.
const watermarkEvery = time.Second

// Feed follows the logs. It implements link.Source. Its methods are safe for
// concurrent use.
type Feed struct {
	cfg   Config
	logs  int
	tails map[wire.LogID]*tail.Tail // fixed by New
	chain []*chain.Chain            // by frame log
	begun []wire.Seq                // where each frame log is read from
	upto  []wire.Seq                // and what must be read before the feed is ready

	ready chan struct{} // closed when every log was read to where it ended

	mu     sync.Mutex
	behind map[wire.LogID]wire.Seq // guarded by mu; logs that were not, with their ends
}

// New is a feed that goes on where the one before it was, as cfg.Dir has it, or
// else starts at the beginning of the logs; Run makes it work.
func New(cfg Config) *Feed {
	if cfg.TailBytes == 0 {
		cfg.TailBytes = 16 << 20
	}
	if cfg.Queried == nil {
		cfg.Queried = func(wire.QueryKind) {}
	}
	f := &Feed{cfg: cfg, logs: cfg.Log.Logs(), tails: map[wire.LogID]*tail.Tail{}, ready: make(chan struct{}), behind: map[wire.LogID]wire.Seq{}}
	for i := range f.logs {
		p := wire.LogID(i)
		c := chain.Open(chain.Config{
			Dir: cfg.Dir, Epoch: cfg.Log.Epoch(), P: p, Floor: cfg.Log.Floor(p), End: cfg.Log.End(p), Logger: cfg.Logger,
		})
		f.tails[p] = tail.New(cfg.TailBytes, c.Pos())
		f.chain = append(f.chain, c)
		f.begun = append(f.begun, c.Pos())
		f.upto = append(f.upto, max(cfg.Log.End(p), c.Pos()))
	}
	// What is below is applied already; a link that asks for it reads the log.
	f.tails[wire.StateLog] = tail.New(cfg.TailBytes, cfg.View.Applied())
	for p := range f.tails {
		f.behind[p] = cfg.Log.End(p)
	}
	return f
}

// Ready is closed when every log was read up to where it ended at the start:
// from then on the feed knows the last frame of every channel.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Run follows the logs until ctx ends, or one can't be followed any more, and
// then writes down how far it got. It may be called once.
func (f *Feed) Run(ctx context.Context) error {
	defer f.closeChains()
	g, ctx := errgroup.WithContext(ctx)
	for p, t := range f.tails {
		f.reached(p, t.End())
		g.Go(func() error { return f.follow(ctx, p, t) })
	}
	g.Go(func() error { return f.stamp(ctx) })
	g.Go(func() error { return f.keep(ctx) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// reached takes note of how far a log was read.
func (f *Feed) reached(p wire.LogID, seq wire.Seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end, ok := f.behind[p]; !ok || seq < end {
		return
	}
	delete(f.behind, p)
	if len(f.behind) == 0 {
		close(f.ready)
	}
}

// skipTrimmed lets logs be caught up whose last records were trimmed before
// they could be read: nothing will come of them.
func (f *Feed) skipTrimmed() {
	f.mu.Lock()
	behind := maps.Clone(f.behind)
	f.mu.Unlock()
	for p, end := range behind {
		if p == wire.StateLog { // its last record stays
			continue
		}
		if floor := f.cfg.Log.Floor(p); floor >= end {
			f.chain[p].Skip(end)
			f.reached(p, floor)
		}
	}
}

func (f *Feed) follow(ctx context.Context, p wire.LogID, t *tail.Tail) error {
	take := f.frames
	if p == wire.StateLog {
		take = f.state
	}
	err := f.cfg.Log.Follow(ctx, p, t.End(), func(records []corelog.Stored) error {
		if err := take(p, t, records); err != nil {
			return err
		}
		f.reached(p, records[len(records)-1].Seq)
		return nil
	})
	if ctx.Err() == nil {
		err = fmt.Errorf("follow log %d: %w", p, err)
	}
	return err
}

// frames gives each frame its place and encodes it, once for all links.
func (f *Feed) frames(p wire.LogID, t *tail.Tail, records []corelog.Stored) error {
	out := make([]tail.Record, 0, len(records))
	for i := range records {
		r, err := f.frame(p, &records[i])
		if err != nil {
			f.chain[p].Pass(records[i].Seq)
			f.unreadable(p, records[i].Seq, err)
			continue
		}
		out = append(out, r)
	}
	t.Append(out...)
	return nil
}

func (f *Feed) unreadable(p wire.LogID, seq wire.Seq, err error) {
	f.cfg.Logger.Error("a frame that can't be read is left out", "log", p, "seq", seq, "err", err)
}

func (f *Feed) frame(p wire.LogID, s *corelog.Stored) (tail.Record, error) {
	post, err := wire.ParseBody(s.Body)
	if err != nil {
		return tail.Record{}, err
	}
	k := wire.FramesKey(post.Ch)
	prev := f.chain[p].Add(k, s.Seq, post.TS)
	if bug.On(bug.BrokenChain) && f.upto[p] > 0 && s.Seq > f.upto[p] {
		prev = s.Seq - 1
	}
	return tail.Record{
		Seq: s.Seq, Kind: tail.Frame, Keys: [2]wire.Key{k},
		Bytes: wire.AppendFrame(make([]byte, 0, len(s.Body)+48), p, s.Seq, prev, s.Body),
	}, nil
}

// state applies records to the view before links can tell of them: an answer
// is never older than what its asker has seen.
func (f *Feed) state(_ wire.LogID, t *tail.Tail, records []corelog.Stored) error {
	applied := make([]wire.StateRecord, len(records))
	out := make([]tail.Record, len(records))
	for i := range records {
		applied[i] = *records[i].State
		var err error
		if out[i], err = stateRecord(records[i].State); err != nil {
			return err
		}
	}
	if err := f.cfg.View.Apply(applied); err != nil {
		return err
	}
	t.Append(out...)
	return nil
}

func stateRecord(rec *wire.StateRecord) (tail.Record, error) {
	b, err := wire.Msgpack.Append(nil, rec)
	if err != nil {
		return tail.Record{}, fmt.Errorf("state record %d: %w", rec.V, err)
	}
	return tail.Record{Seq: rec.V, Kind: tail.State, Keys: rec.Interests(), Bytes: b}, nil
}

// stamp says each second how far each log has got.
func (f *Feed) stamp(ctx context.Context) error {
	t := time.NewTicker(watermarkEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-t.C:
			for _, tl := range f.tails {
				tl.Append(link.StampWatermark(tl.End(), now))
			}
			f.skipTrimmed()
		}
	}
}

// Channels is the number of channels that the feed knows.
func (f *Feed) Channels() int {
	n := 0
	for _, c := range f.chain {
		n += c.Channels()
	}
	return n
}
