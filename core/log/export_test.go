package log

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"selvedge/wire"
)

// Lead makes a core of a cluster the leader of a log.
func (s *Store) Lead(ctx context.Context, p wire.LogID, core string) error {
	sess, err := s.await(ctx)
	if err != nil {
		return err
	}
	_, err = sess.request(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+streamName(p), fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, core), time.Second)
	return err
}

// Leader is the core that leads a log, "" = none does now.
func (s *Store) Leader(ctx context.Context, p wire.LogID) string {
	sess, err := s.await(ctx)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stream, err := sess.js.Stream(ctx, streamName(p))
	if err != nil || stream.CachedInfo().Cluster == nil {
		return ""
	}
	return stream.CachedInfo().Cluster.Leader
}

// ParseExtent is what a log's leader says of it.
func ParseExtent(b []byte) (first, last wire.Seq, followed bool, err error) {
	e, err := parseExtent(b)
	return e.first, e.last, e.followed, err
}

// ClientPort is where a core's server listens for clients of NATS; nil = nowhere.
func ClientPort(s *Store) net.Addr {
	sess, err := s.session()
	if err != nil {
		return nil
	}
	return sess.srv.server.Addr()
}

// Break has the store open its session again, and returns what it waits with
// between tries to find the others, at most.
func Break(s *Store) (time.Duration, error) {
	sess, err := s.session()
	if err == nil {
		sess.fail(unavailable(errNotFound))
	}
	return reopenLimit, err
}

// What ends appends that wait for a leader when there is another.
var (
	ErrElected   = errElected
	ElectedGrace = electedGrace
)

// Forgets makes the engine forget the ids of log 0, up to the newest.
func Forgets(t *testing.T, s *Store, last *wire.Post) {
	t.Helper()
	forgets(t, s, last)
}

// Remembers reports whether a core knows by itself of a post's id.
func Remembers(s *Store, p *wire.Post, publisher string) bool {
	_, ok := s.recent[wire.LogOf(p.Ch, s.Logs())].find(idOf(p.Ch, publisher, p.MsgID), time.Now())
	return ok
}

// Session is the current one, nil = there is none.
func Session(s *Store) any {
	if sess, err := s.session(); err == nil {
		return sess
	}
	return nil
}
