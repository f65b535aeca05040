package fanout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// links are gateways that follow one log each over a link of their own, with a
// socket of their own: as an edge follows a core, or its region's relay.
type links struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	errs chan error // capacity 1: the first follower that gave up

	mu  sync.Mutex
	all []*follower // guarded by mu
}

const (
	// linkTime bounds a dial, and joinTime all that are needed until a gateway is fed.
	linkTime = 20 * time.Second
	joinTime = 90 * time.Second
	// joinTries is how often one that has never been fed dials: thousands of handshakes
	// at once keep a small machine busy for longer than a link waits.
	joinTries = 8
	// relinkPause is the longest pause before a link that broke is made again.
	relinkPause = 200 * time.Millisecond
	// homeTime bounds the way home of those that are astray.
	homeTime = 30 * time.Second
)

// Where a follower is fed.
const (
	nowhere int32 = iota
	athome
	astray // at its way back
)

func connectLinks(ctx context.Context, t *tally, o order) (gateways, error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	all := &links{stop: stop, errs: make(chan error, 1)}
	err := each(ctx, o.First, o.Count, o.InFlight, func(ctx context.Context, n int) error {
		to := o.Targets[n%len(o.Targets)]
		f := &follower{
			sub: subscriber{tally: t, round: -1}, to: to, back: o.Back, name: fmt.Sprintf("gateway-%d", n), log: wire.LogID(o.Log),
			key: wire.FramesKey(wire.Channel(o.Channel)), live: make(chan struct{}),
		}
		f.at.Store(uint64(link.Live))
		id, err := identity.DevNode(identity.RoleEdge, f.name)
		if err != nil {
			return err
		}
		f.id = id
		all.mu.Lock()
		all.all = append(all.all, f)
		all.mu.Unlock()
		all.wg.Go(func() {
			if err := f.run(run); err != nil {
				select {
				case all.errs <- err:
				default: // the first one says enough
				}
			}
		})
		select {
		case <-f.live:
			return nil
		case err := <-all.errs:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(joinTime):
			return fmt.Errorf("%s: %s did not feed it within %v", f.name, to.Node, joinTime)
		}
	})
	if err != nil {
		return nil, errors.Join(err, all.close())
	}
	return all, nil
}

func (l *links) close() error {
	l.stop()
	l.wg.Wait()
	select {
	case err := <-l.errs:
		return err
	default:
		return nil
	}
}

// astray implements gateways.
func (l *links) astray() (n int64) {
	for _, f := range l.followers() {
		if f.where.Load() == astray {
			n++
		}
	}
	return n
}

func (l *links) followers() []*follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// home implements gateways: those that are astray leave, and try their own upstream.
// Where that has nothing for them, they go back.
func (l *links) home(ctx context.Context, atOnce int) error {
	all := l.followers()
	ctx, cancel := context.WithTimeout(ctx, homeTime)
	defer cancel()
	err := each(ctx, 0, len(all), atOnce, func(ctx context.Context, n int) error {
		f := all[n]
		if !f.where.CompareAndSwap(astray, nowhere) {
			return nil
		}
		f.link.Load().Close()
		for f.where.Load() == nowhere {
			if err := pause(ctx, lookEvery); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // they are on their way, and counted
	}
	return err
}

// follower is one of links. The methods of link.Receiver are called from one
// goroutine at a time: it follows one log.
type follower struct {
	// Fixed.
	to   target
	back *target // where it goes when that fails it; nil = nowhere
	name string
	id   *identity.NodeIdentity
	log  wire.LogID
	key  wire.Key
	live chan struct{} // closed at the first marker

	at   atomic.Uint64             // how far it has the log; link.Live = it has never been fed
	over atomic.Bool               // the upstream does not have the log, or not any more
	link atomic.Pointer[link.Link] // the one of now

	where  atomic.Int32 // nowhere between two links
	strays atomic.Bool  // link leads to back

	sub subscriber // owned by the receiving goroutine
}

var errElsewhere = errors.New("the log is not to be had there")

// run follows until ctx ends. A link that breaks is made again, and resumes, at the
// core if the relay is gone; it is an error if none is ever live.
func (f *follower) run(ctx context.Context) error {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer pc.Close()
	tr := link.NewTransport(pc)
	defer tr.Close()
	to, other := f.to, f.to
	if f.back != nil {
		other = *f.back
	}
	for tries := 1; ; tries++ {
		err := f.follow(ctx, tr, to)
		switch {
		case ctx.Err() != nil:
			return nil
		case f.fed():
			to, other = other, to
		case tries == joinTries:
			return fmt.Errorf("%s to %s: %w", f.name, f.to.Node, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(relinkPause)):
		}
	}
}

// follow makes one link, and follows over it until it ends.
func (f *follower) follow(ctx context.Context, tr *quic.Transport, to target) error {
	addr, err := net.ResolveUDPAddr("udp", to.Addr)
	if err != nil {
		return err
	}
	dialing, cancel := context.WithTimeout(ctx, linkTime)
	defer cancel()
	l, err := link.Dial(dialing, tr, addr, link.DialConfig{
		TLS: f.id.ClientTLS(), Node: f.name, Region: f.to.Region, Peer: to.Node, Relay: to.Relay, Receiver: f,
	})
	if err != nil {
		return err
	}
	f.over.Store(false)
	f.strays.Store(to != f.to)
	f.link.Store(l)
	defer f.where.Store(nowhere)
	again := f.fed()
	if again { // told before what it brings
		f.sub.tally.relinked.Add(1)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	if err := l.Open(dialing, f.log, wire.Seq(f.at.Load()), 1, []wire.Key{f.key}); err != nil {
		if again {
			f.sub.tally.relinked.Add(-1)
		}
		l.Close()
		return errors.Join(err, <-ended)
	}
	f.here()
	err = <-ended
	if f.over.Load() {
		err = fmt.Errorf("%s: %w", to.Node, errElsewhere)
	}
	return err
}

// Records implements link.Receiver.
func (f *follower) Records(_ wire.LogID, records []tail.Record) {
	f.here()
	for i := range records {
		switch r := &records[i]; r.Kind {
		case tail.Frame:
			frame, err := wire.ParseFrame(r.Bytes)
			if err != nil {
				f.sub.tally.fault(err)
				continue
			}
			f.sub.receive(r.Bytes)
			f.at.Store(uint64(frame.Seq))
		case tail.Watermark:
			f.reach(r.Seq)
		default: // the state log is not followed
		}
	}
}

// fed reports whether it has ever been live.
func (f *follower) fed() bool { return wire.Seq(f.at.Load()) != link.Live }

func (f *follower) reach(at wire.Seq) {
	if !f.fed() || f.at.Load() < uint64(at) {
		f.at.Store(uint64(at))
	}
}

// here notes where it is fed, or is about to be.
func (f *follower) here() {
	at := athome
	if f.strays.Load() {
		at = astray
	}
	if f.where.Load() != at {
		f.where.Store(at)
	}
}

// Marker implements link.Receiver.
func (f *follower) Marker(_ wire.LogID, m link.Marker) {
	select {
	case <-f.live: // it was before
	default:
		f.reach(m.Seq) // 0 in an empty log
		close(f.live)
	}
}

// Gap implements link.Receiver.
func (f *follower) Gap(_ wire.LogID, floor wire.Seq, lost []wire.Key) {
	if len(lost) > 0 {
		f.sub.tally.fault(fmt.Errorf("%s: everything up to %d is gone", f.name, floor))
	}
}

// Behind implements link.Receiver.
func (f *follower) Behind(wire.LogID, wire.Seq) { f.leave() }

// Elsewhere implements link.Receiver.
func (f *follower) Elsewhere(wire.LogID) { f.leave() }

// leave ends a link that has nothing for it.
func (f *follower) leave() {
	f.over.Store(true)
	f.link.Load().Close()
}

// Signal implements link.Receiver.
func (*follower) Signal(*wire.Signal) {}
