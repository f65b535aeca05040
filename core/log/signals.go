package log

import (
	"crypto/rand"
	"fmt"

	"github.com/nats-io/nats.go"

	"selvedge/wire"
)

// Signals are told among cores over the connections of their log, since an edge holds
// its interest in a channel at the core that serves the channel's log, and a backend
// sends its signals to any. Nothing keeps them: with a link or a core they are lost.

// signalSubject is where signals are told.
const signalSubject = "selvedge.signals"

// storeID tells a store's own signals from those of others. It begins each of them.
type storeID [8]byte

func newStoreID() (id storeID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// Signal passes a signal on to the other cores, each of which gets it at most once,
// soon or never. It does nothing if there are none, never blocks, and fails with
// ErrUnavailable while the log can't be reached.
func (s *Store) Signal(sig *wire.Signal) error {
	sess, err := s.session()
	if err != nil {
		return err
	}
	if !sess.replicated() {
		return nil
	}
	b, err := wire.Msgpack.Append(s.id[:len(s.id):len(s.id)], sig)
	if err != nil {
		return err
	}
	return sess.read.Publish(signalSubject, b)
}

// Signals has fn get what other cores pass on, one after the other. What came before
// is lost. fn must not block.
func (s *Store) Signals(fn func(*wire.Signal)) { s.signals.Store(&fn) }

// hearSignals begins to hear the others' signals.
func (s *Store) hearSignals(sess *session) error {
	_, err := sess.read.Subscribe(signalSubject, func(m *nats.Msg) {
		fn := s.signals.Load()
		if fn == nil || len(m.Data) < len(s.id) || storeID(m.Data[:len(s.id)]) == s.id {
			return
		}
		var sig wire.Signal
		if err := wire.Msgpack.Decode(m.Data[len(s.id):], &sig); err != nil {
			s.log.Debug("a signal that can't be read", "err", err)
			return
		}
		(*fn)(&sig)
	})
	if err == nil {
		err = sess.read.FlushTimeout(sess.patience) // from now on
	}
	if err != nil {
		return fmt.Errorf("connect to the log: %w", err)
	}
	return nil
}
