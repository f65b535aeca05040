package log

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
)

// electedSubject begins what a copy says that has become the leader of a stream.
// Source: JSAdvisoryStreamLeaderElectedPre of nats-server.
const electedSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."

// electedGrace is what an append has that may have met the new leader, for its
// answer: the new one is heard of a moment before it takes appends, and an append
// that was sent then may come to it late.
const electedGrace = 200 * time.Millisecond

var errElected = errors.New("it has another leader now")

// watchLeaders gives up appends whose log gets another leader. One that went to a
// leader which stands still, or is cut off, or passed it on a moment ago, would wait
// for lateAppend in vain, and its publisher with it; now it tries again when that has
// sense. Whether the append happened is not known, as ever.
func (s *session) watchLeaders() error {
	_, err := s.read.Subscribe(electedSubject+"*", func(m *nats.Msg) {
		p, ok := logOfStream(strings.TrimPrefix(m.Subject, electedSubject))
		if !ok {
			return
		}
		heard := time.Now()
		s.giveUp(p, heard.Add(-electedGrace))
		// What was sent since can have met the new leader. The session may have ended by
		// then: nothing waits in it.
		time.AfterFunc(electedGrace, func() { s.giveUp(p, heard) })
	})
	if err != nil {
		return fmt.Errorf("connect to the log: %w", err)
	}
	return nil
}

// giveUp ends the appends to a log that wait since before a time.
func (s *session) giveUp(p wire.LogID, before time.Time) {
	s.acks.expireIf(before, unavailable(errElected), func(c call) bool {
		a, ok := c.(*ackCall)
		return ok && a.p == p
	})
}

// logOfStream is the log whose stream has this name, if there is one.
func logOfStream(name string) (wire.LogID, bool) {
	if name == stateStream {
		return wire.StateLog, true
	}
	digits, ok := strings.CutPrefix(name, framesPrefix)
	n, err := strconv.ParseUint(digits, 10, 16)
	return wire.LogID(n), ok && err == nil && n < wire.MaxLogs
}
