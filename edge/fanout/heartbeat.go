package fanout

import (
	"errors"
	"iter"
	"slices"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// wheel spreads the pings over their interval: each socket sits in one bucket,
// and each tick serves the buckets that are due.
type wheel struct {
	buckets [][]*Socket
	every   time.Duration
	next    int
	spread  int
	due     time.Time // of bucket next; zero before the first tick
}

const (
	// step is the time between two buckets.
	step = 100 * time.Millisecond
	// stall is how late a turn may be to be caught up. After a longer one, what
	// the peers said meanwhile is yet to be read.
	stall = time.Second
)

func newWheel(ping time.Duration) wheel {
	n := max(int(ping/step), 1)
	return wheel{buckets: make([][]*Socket, n), every: ping / time.Duration(n)}
}

// add puts k where it is pinged half a turn to a full one from now: sockets
// that came together, as in a storm, are not pinged together.
func (w *wheel) add(k *Socket) {
	w.spread = (w.spread + 1) % (len(w.buckets)/2 + 1)
	b := (w.next + len(w.buckets) - 1 - w.spread) % len(w.buckets)
	k.bucket, k.slot = int16(b), int32(len(w.buckets[b]))
	w.buckets[b] = append(w.buckets[b], k)
}

func (w *wheel) remove(k *Socket) {
	list := w.buckets[k.bucket]
	last := len(list) - 1
	list[k.slot] = list[last]
	list[k.slot].slot = k.slot
	list[last] = nil
	w.buckets[k.bucket] = list[:last]
}

// sockets are all there are. The loop's body may close the one that it is given.
func (w *wheel) sockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, bucket := range w.buckets {
			for _, k := range slices.Backward(bucket) { // one that goes moves the last to its place
				if !yield(k) {
					return
				}
			}
		}
	}
}

func (w *wheel) len() (n int) {
	for _, bucket := range w.buckets {
		n += len(bucket)
	}
	return n
}

type greeted struct {
	k        *Socket
	deadline time.Time
}

// Tick pings those whose turn it is, and ends those that are dead or never
// said hello.
func (s *shard) Tick(now time.Time) {
	for len(s.hellos) > 0 && (s.hellos[0].k.state != greeting || !now.Before(s.hellos[0].deadline)) {
		k := s.hellos[0].k
		s.hellos[0] = greeted{}
		s.hellos = s.hellos[1:]
		switch {
		case k.state != greeting:
		case k.is(spoke): // it's we who are slow
			s.closeSocket(k, wire.CloseReconnect, "unavailable: too busy to answer in time")
		default:
			// A machine that is starved or a network that drops is no defect: the
			// client is to come again.
			s.closeSocket(k, wire.CloseReconnect, "no hello came in time")
		}
	}
	if len(s.hellos) == 0 {
		s.hellos = nil
	}
	w := &s.wheel
	if w.due.IsZero() || now.Sub(w.due) > stall {
		w.due = now // nobody is dead because we were
	}
	for !now.Before(w.due) {
		bucket := w.buckets[w.next]
		for _, k := range slices.Backward(bucket) { // a socket that goes moves the last to its place
			s.heartbeat(k, now)
		}
		w.next = (w.next + 1) % len(w.buckets)
		w.due = w.due.Add(w.every)
	}
	s.tellDue(now)
	s.askToGo(now)
	s.flushDirty()
}

// errDead closes a socket that was silent for two intervals.
var errDead = errors.New("fanout: the peer is silent")

// pingFrame is the ping that every socket gets.
var pingFrame = websocket.Ping(nil)

// heartbeat pings k, or ends it when it was silent for two intervals.
func (s *shard) heartbeat(k *Socket, now time.Time) {
	if k.state >= closing {
		return
	}
	if k.expires != 0 && now.Unix() > int64(k.expires) {
		s.closeSocket(k, wire.CloseExpired, "token expired")
		return
	}
	if k.is(busy) {
		k.flags |= heard // nobody listened: TCP itself must tell
	}
	if !k.is(heard) && k.is(missed) {
		k.conn.Close(errDead)
		return
	}
	k.set(missed, !k.is(heard))
	k.flags &^= heard
	s.push(k, pingFrame)
	if k.extra != nil && len(k.extra.behind) > 0 {
		s.dropReached(k)
	}
	if k.state == running && k.pending() <= s.e.cfg.Budget {
		s.push(k, s.cursor(k))
	}
}

// cursor tells a session that it has everything of its own up to here, for
// those logs where that is so (rule 5). All live sockets share one message.
func (s *shard) cursor(k *Socket) []byte {
	if x := k.extra; x == nil || len(x.lags)+len(x.late) == 0 && (x.focus == nil || x.focus.settled()) {
		c := k.Codec()
		if s.cursors[c] == nil {
			s.cursors[c] = s.cursorPacket(c, nil)
		}
		return s.cursors[c]
	}
	return s.cursorPacket(k.Codec(), k.extra)
}

func (s *shard) cursorPacket(c wire.Codec, x *extra) []byte {
	at := wire.AtOf(s.pos)
	if x != nil {
		for _, l := range x.lags {
			delete(at, l.p.String())
		}
		for _, l := range x.late {
			delete(at, l.ch.P.String())
		}
		if x.focus != nil {
			for ch := range x.focus.owed() {
				delete(at, ch.P.String())
			}
		}
	}
	b, err := wire.Msgpack.Append(nil, wire.CursorMoved{T: wire.TCursor, At: at, V: s.seen})
	if err != nil {
		return nil
	}
	return cache.PacketIn(cache.FormOf(c, false), b)
}
