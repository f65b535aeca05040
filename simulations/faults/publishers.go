package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

const (
	// retryPause is between a publish that failed and the next.
	retryPause = 20 * time.Millisecond
	// shunTime is how long a core that did not answer in time is passed over.
	shunTime = 10 * time.Second
)

// publishers publish to rooms, one each, without a pause but for the rate. Each
// numbers its messages and waits for the answer to one before it sends the next.
// One half gives its messages ids, and repeats a message until it is
// acknowledged. The other half goes on with the next one: a message without an
// answer may be there, or not.
type publishers struct {
	// Fixed.
	book     *ledger.Ledger
	gap      time.Duration // of one publisher, between two messages
	text     string        // of each message
	channels map[wire.Channel]bool

	round    int
	patience time.Duration // with a core that doesn't answer; 0 = endless

	acked, failed, repeated atomic.Int64
	odd                     atomic.Int64          // of the failed: an answer that isn't unavailable (503)
	refusal                 atomic.Pointer[error] // the first failure since it was reset

	mu          sync.Mutex
	first, last map[wire.LogID]wire.Seq   // guarded by mu; positions that were acknowledged
	ends        map[wire.Channel]wire.Seq // guarded by mu; the same by channel, the last one
	numbered    map[wire.Channel]int      // guarded by mu; messages, by channel; a publisher's at its end
	waiting     map[wire.Channel]bool     // guarded by mu; channels without an acknowledged message that was sent after since
	since       time.Time                 // guarded by mu
	failures    map[wire.Channel][]string // guarded by mu; of each channel since then
	slowest     wire.Channel              // guarded by mu; the last that left waiting

	pauses atomic.Pointer[stillness] // told of each answer; nil = nobody looks

	shunned map[string]time.Time // guarded by mu; cores, by URL, that are not asked before

	quit    chan struct{} // closed by stop
	once    sync.Once
	running sync.WaitGroup
}

// publish starts publishers for rooms, at so many messages per second in all, of
// about so many bytes. cores are URLs: each publisher has one of them, and after
// a failure goes to the next.
func (r *run) publish(ctx context.Context, rooms, rate, size int, cores ...string) {
	chs := make([]wire.Channel, rooms)
	for room := range chs {
		chs[room] = roomChannel(room)
	}
	r.publishTo(ctx, chs, rate, size, cores...)
}

// publishTo is publish for other channels.
func (r *run) publishTo(ctx context.Context, chs []wire.Channel, rate, size int, cores ...string) {
	p := &publishers{
		book: r.book, round: r.round, patience: r.patience, ends: map[wire.Channel]wire.Seq{}, shunned: map[string]time.Time{}, first: map[wire.LogID]wire.Seq{}, last: map[wire.LogID]wire.Seq{},
		numbered: map[wire.Channel]int{}, failures: map[wire.Channel][]string{}, channels: map[wire.Channel]bool{}, gap: time.Duration(len(chs)) * time.Second / time.Duration(rate),
		text: strings.Repeat("warp and weft ", size/14), quit: make(chan struct{}),
	}
	pool := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(chs)}}
	for _, ch := range chs {
		p.channels[ch] = true
	}
	for i, ch := range chs {
		o := &publisher{publishers: p, ch: ch, ids: i%2 == 0}
		for k := range cores {
			o.cores = append(o.cores, &backend.Client{BaseURL: cores[(i+k)%len(cores)], Key: identity.DevAPIKey, HTTP: pool, Retries: -1})
		}
		p.running.Go(func() { o.run(ctx, time.Duration(i)*p.gap/time.Duration(len(chs))) })
	}
	r.load = p
}

// stop ends the publishers, each after the answer to its last message.
func (p *publishers) stop() {
	p.once.Do(func() { close(p.quit) })
	p.running.Wait()
}

func (p *publishers) String() string {
	return fmt.Sprintf("%d publishes acknowledged, %d failed, %d of the answers were to repetitions that had been taken before", p.acked.Load(), p.failed.Load(), p.repeated.Load())
}

// placed notes where a message of a channel is.
func (p *publishers) placed(ch wire.Channel, sent time.Time, at backend.Placed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[ch] && sent.After(p.since) {
		delete(p.waiting, ch)
		p.slowest = ch
	}
	if first, ok := p.first[at.P]; !ok || at.Seq < first {
		p.first[at.P] = at.Seq
	}
	p.last[at.P], p.ends[ch] = max(p.last[at.P], at.Seq), max(p.ends[ch], at.Seq)
}

// each begins to wait for a message of each channel, sent from now on.
func (p *publishers) each() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.waiting = time.Now(), maps.Clone(p.channels)
	clear(p.failures)
}

// had reports whether each channel had its message.
func (p *publishers) had() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) == 0
}

// still are the channels that had none, each with its last failure.
func (p *publishers) still() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for ch := range p.waiting {
		all = append(all, p.historyLocked(ch))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// late is the channel that had its message last, and why not before.
func (p *publishers) late() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.historyLocked(p.slowest)
}

func (p *publishers) historyLocked(ch wire.Channel) string {
	return fmt.Sprintf("%s: %s", ch, strings.Join(p.failures[ch], "; "))
}

// longHistory is how many failures of a channel are kept.
const longHistory = 50

// publisher publishes to one channel.
type publisher struct {
	*publishers

	ch    wire.Channel
	ids   bool
	cores []*backend.Client
	core  int  // the one in use
	n     int  // the message at hand
	begun bool // n has been tried, and is to be tried again
}

func (o *publisher) run(ctx context.Context, offset time.Duration) {
	o.n = -1
	defer o.end()
	next := time.Now().Add(offset)
	for {
		select {
		case <-o.quit:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		if next = next.Add(o.gap); time.Since(next) > time.Second {
			next = time.Now() // what couldn't be published then isn't made up for
		}
		if !o.one(ctx) {
			next = time.Now().Add(retryPause)
		}
	}
}

// failure notes why a message was not acknowledged, by which core, and after how
// long.
func (o *publisher) failure(sent time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if had := o.failures[o.ch]; len(had) < longHistory {
		o.failures[o.ch] = append(had, fmt.Sprintf("%s, sent %v before: %v", o.cores[o.core].BaseURL, time.Since(sent).Round(time.Millisecond), err))
	}
}

// end notes how many messages there were.
func (o *publisher) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.numbered[o.ch] = o.n + 1
	if o.begun {
		o.numbered[o.ch] = o.n
	}
}

// one publishes the next message.
func (o *publisher) one(ctx context.Context) bool {
	if !o.begun {
		o.n, o.begun = o.book.Next(o.ch), true
	}
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"round":%d,"text":%q}`, o.n, o.round, o.text))
	if err != nil {
		return false
	}
	m := backend.Message{Channel: o.ch, Data: data}
	if o.ids {
		m.MsgID = fmt.Sprint(o.round, "-", o.n)
	}
	if o.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.patience)
		defer cancel()
	}
	sent := time.Now()
	placed, err := o.cores[o.core].Publish(ctx, m)
	if err != nil {
		o.failed.Add(1)
		if _, answered := errors.AsType[*backend.Error](err); answered && !unavailable(err) {
			o.odd.Add(1)
		}
		o.refusal.CompareAndSwap(nil, &err)
		o.failure(sent, err)
		o.turn(errors.Is(err, context.DeadlineExceeded))
		o.begun = o.ids
		return false
	}
	if placed.Duplicate {
		o.repeated.Add(1)
	}
	o.placed(o.ch, sent, placed)
	o.book.AcknowledgedAt(o.ch, o.n, placed.Seq)
	o.acked.Add(1)
	if w := o.pauses.Load(); w != nil {
		w.saw("", o.ch)
	}
	o.begun = false
	return true
}

// turn goes to the next core. One that did not answer is passed over by all for a
// while, if there is another, as a load balancer does.
func (o *publisher) turn(silent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if silent {
		o.shunned[o.cores[o.core].BaseURL] = now.Add(shunTime)
	}
	// Where all are passed over, it is the one that was the longest ago.
	next := o.core
	for i := 1; i <= len(o.cores); i++ {
		k := (o.core + i) % len(o.cores)
		until := o.shunned[o.cores[k].BaseURL]
		if now.After(until) {
			next = k
			break
		}
		if until.Before(o.shunned[o.cores[next].BaseURL]) {
			next = k
		}
	}
	o.core = next
}

// refused waits until a publish fails, and says how the first one did.
func (r *run) refused(ctx context.Context, limit time.Duration) error {
	r.load.refusal.Store(nil)
	err := r.until(ctx, limit, "a publish is refused", func() bool { return r.load.refusal.Load() != nil })
	if err != nil {
		return err
	}
	if err := *r.load.refusal.Load(); !unavailable(err) {
		return fmt.Errorf("a publish should be refused as %s (503): %w", wire.Unavailable, err)
	}
	return nil
}

// unavailable reports whether a core answered that it can't now.
func unavailable(err error) bool {
	answer, ok := errors.AsType[*backend.Error](err)
	return ok && answer.Status == http.StatusServiceUnavailable && answer.Code == wire.Unavailable
}

// taken waits until n more publishes are acknowledged.
func (r *run) taken(ctx context.Context, limit time.Duration, n int) (time.Duration, error) {
	began, before := time.Now(), r.load.acked.Load()
	err := r.until(ctx, limit, fmt.Sprintf("%d publishes are acknowledged", n), func() bool { return r.load.acked.Load() >= before+int64(n) })
	return time.Since(began), err
}
