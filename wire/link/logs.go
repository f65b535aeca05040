package link

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"selvedge/wire"
	"selvedge/wire/tail"
)

// ErrLogClosed: the log is not open on this link.
var ErrLogClosed = errors.New("log not open on this link")

// controlTimeout is how long a peer may take a message of the control stream
// before its link is given up.
const controlTimeout = 3 * time.Second

// logStream is the n-th stream of a log on its link.
type logStream struct {
	n     uint64        // fixed; from 1
	ended chan struct{} // closed after the receiver's last call

	// Guarded by Link.mu.
	st      *quic.ReceiveStream // nil until it has come
	closing bool                // its end was asked for
	dropped bool                // it is not read any further
}

func (s *logStream) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Open asks for log p after a position with first interests, whose delta has
// number id; after Live from some position on, which that delta's marker tells. A log that is open already fails; once CloseLog has
// returned it may be opened again.
func (l *Link) Open(ctx context.Context, p wire.LogID, after wire.Seq, id uint64, keys []wire.Key) error {
	return l.sendIf(ctx, message{T: tOpen, P: p, ID: id, After: after, Add: keys}, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		s := &logStream{n: 1, ended: make(chan struct{})}
		if old := l.logs[p]; old != nil {
			if !old.closing || !old.over() {
				return fmt.Errorf("open log %d: it is open on this link", p)
			}
			s.n = old.n + 1
		}
		l.logs[p] = s
		return nil
	})
}

// Interest changes the interests in an open log; ErrLogClosed if it isn't. The
// marker with this id answers it; wait for it before the next change of the same
// log. Ids ascend.
func (l *Link) Interest(ctx context.Context, p wire.LogID, id uint64, add, del []wire.Key, since wire.Seq) error {
	return l.sendIf(ctx, message{T: tInterest, P: p, ID: id, Add: add, Del: del, After: since}, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s := l.logs[p]; s == nil || s.closing {
			return fmt.Errorf("interest in log %d: %w", p, ErrLogClosed)
		}
		return nil
	})
}

// CloseLog ends log p, and returns after the receiver's last call for it. What
// the upstream has sent until it learns of it is received, as long as ctx lets
// it: with a ctx that has ended, nothing more is. A link whose peer does not even
// take the message is closed.
func (l *Link) CloseLog(ctx context.Context, p wire.LogID) {
	var s *logStream
	stuck := time.AfterFunc(controlTimeout, l.Close)
	err := l.sendIf(context.WithoutCancel(ctx), message{T: tClose, P: p}, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s = l.logs[p]; s == nil || s.closing {
			return ErrLogClosed
		}
		s.closing = true
		return nil
	})
	stuck.Stop()
	if s == nil {
		return
	}
	if err == nil {
		select {
		case <-s.ended:
		case <-l.finished:
		case <-ctx.Done():
		}
	}
	l.drop(s)
	select {
	case <-s.ended:
	case <-l.finished:
	}
}

// drop ends the reading of a stream, also of one that has yet to come.
func (l *Link) drop(s *logStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.dropped || s.over():
	case s.st == nil:
		close(s.ended) // nobody will read it
	default:
		s.st.CancelRead(quic.StreamErrorCode(codeDone))
	}
	s.dropped = true
}

func (l *Link) acceptLogs(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := l.conn.AcceptUniStream(ctx)
		if err != nil {
			return err
		}
		g.Go(func() error { return l.readLog(st) })
	}
}

// readBuffer is the most of a log that is handed on as one batch, in bytes: some
// thirty frames of 1 KiB. There is one for each log.
const readBuffer = 32 << 10

// readLog receives one stream.
func (l *Link) readLog(st *quic.ReceiveStream) error {
	r := bufio.NewReaderSize(st, readBuffer)
	p, s, err := l.attach(st, r)
	if s == nil {
		return err
	}
	defer close(s.ended)
	if err = l.receive(p, r); err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.dropped || s.closing && errors.Is(err, io.EOF) {
		return nil // as was asked for
	}
	return fmt.Errorf("read log %d: %w", p, err)
}

// attach reads whose stream it is. It is nil for one that nobody wants any more.
func (l *Link) attach(st *quic.ReceiveStream, r *bufio.Reader) (wire.LogID, *logStream, error) {
	id, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if id >= uint64(l.Logs) && wire.LogID(id) != wire.StateLog || id > 0xffff {
		return 0, nil, fmt.Errorf("%w: a stream of log %d", ErrProtocol, id)
	}
	p := wire.LogID(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.logs[p]
	switch {
	case s == nil || n > s.n || n == 0:
		return 0, nil, fmt.Errorf("%w: stream %d of log %d, which nobody asked for", ErrProtocol, n, p)
	case n < s.n || s.dropped:
		st.CancelRead(quic.StreamErrorCode(codeDone))
		return 0, nil, nil
	case s.st != nil: // the receiver would get one log from two goroutines
		return 0, nil, fmt.Errorf("%w: a second stream of log %d", ErrProtocol, p)
	}
	s.st = st
	return p, s, nil
}

// receive hands on everything that has arrived as one batch, so that a burst
// costs its receiver one turn. It returns nil when the stream has ended after
// the upstream said that it is behind, or does not have the log.
func (l *Link) receive(p wire.LogID, r *bufio.Reader) error {
	var batch []tail.Record
	flush := func() {
		if len(batch) > 0 {
			l.cfg.Receiver.Records(p, batch)
			batch = nil // the receiver may keep it
		}
	}
	for behind := false; ; {
		kind, b, err := readRecord(r)
		if err != nil {
			flush()
			if behind && errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch kind {
		case tail.Frame, tail.State:
			batch = append(batch, tail.Record{Kind: kind, Bytes: b})
		case tail.Watermark:
			seq, err := position(b)
			if err != nil {
				return err
			}
			batch = append(batch, tail.Record{Kind: kind, Seq: seq, Bytes: b})
			l.watered()
		case kindMarker:
			m, err := parseMarker(b)
			if err != nil {
				return err
			}
			flush()
			l.cfg.Receiver.Marker(p, m)
		case kindGap:
			floor, lost, err := parseGap(b)
			if err != nil {
				return err
			}
			flush()
			l.cfg.Receiver.Gap(p, floor, lost)
		case kindBehind:
			end, err := position(b)
			if err != nil {
				return err
			}
			flush()
			behind = true
			l.cfg.Receiver.Behind(p, end)
		case kindElsewhere:
			flush()
			behind = true
			l.cfg.Receiver.Elsewhere(p)
		default:
			return fmt.Errorf("%w: a record of kind %d", ErrProtocol, kind)
		}
		if !holdsRecord(r) || len(batch) >= batchRecords {
			flush()
		}
	}
}

// holdsRecord reports whether a whole record is buffered already.
func holdsRecord(r *bufio.Reader) bool {
	b, _ := r.Peek(r.Buffered())
	n, w := binary.Uvarint(b)
	return w > 0 && uint64(len(b)-w) >= n
}
