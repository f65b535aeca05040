package log

import (
	"context"
	"fmt"
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
