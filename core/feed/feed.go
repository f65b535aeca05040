package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

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
	Latest(ctx context.Context, p wire.LogID) (wire.Seq, error)
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

// Feed follows the logs. It implements link.Source. Its methods are safe for
// concurrent use.
type Feed struct {
	link.Whole

	cfg   Config
	logs  int
	tails map[wire.LogID]*tail.Tail // fixed by New
	reach map[wire.LogID]*reach     // the same
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
	f := &Feed{cfg: cfg, logs: cfg.Log.Logs(), tails: map[wire.LogID]*tail.Tail{}, reach: map[wire.LogID]*reach{}, ready: make(chan struct{}), behind: map[wire.LogID]wire.Seq{}}
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
	for p, t := range f.tails {
		f.reach[p] = &reach{tail: t, floor: func() wire.Seq { return cfg.Log.Floor(p) }}
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
		g.Go(func() error { return f.stamp(ctx, p) })
	}
	g.Go(func() error { return f.keep(ctx) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// reached takes note of how far a log was read.
func (f *Feed) reached(p wire.LogID, seq wire.Seq) {
	f.reach[p].to(seq)
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

// Channels is the number of channels that the feed knows.
func (f *Feed) Channels() int {
	n := 0
	for _, c := range f.chain {
		n += c.Channels()
	}
	return n
}
