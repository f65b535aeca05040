package log

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// handOverLook paces the look at who leads a stream.
	handOverLook = 20 * time.Millisecond
	// handOverLimit bounds one question about it.
	handOverLimit = 500 * time.Millisecond
)

// HandOver has other cores lead what this one leads of the logs, so that nobody has
// to wait for an election when it is closed. Appends go on meanwhile. It returns
// when they do, when ctx ends, and at once where there are no copies in other cores.
// What could not be handed over is left to an election.
func (s *Store) HandOver(ctx context.Context) {
	sess, err := s.session()
	if err != nil || sess == nil || sess.srv == nil || !sess.replicated() {
		return
	}
	var all sync.WaitGroup
	for _, name := range s.streams() {
		if sess.srv.leads(name) {
			all.Go(func() { sess.handOver(ctx, name) })
		}
	}
	all.Wait()
}

// handOver has another core lead a stream, and waits until it does: only the leader
// answers what a stream is.
func (s *session) handOver(ctx context.Context, stream string) {
	t := time.NewTicker(handOverLook)
	defer t.Stop()
	for !s.ledElsewhere(ctx, stream) {
		if s.srv.leads(stream) {
			_, _ = s.request(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, handOverLimit) // the next look tells
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// ledElsewhere reports whether another core leads a stream, and answers.
func (s *session) ledElsewhere(ctx context.Context, stream string) bool {
	if s.srv.leads(stream) {
		return false
	}
	m, err := s.request(ctx, "$JS.API.STREAM.INFO."+stream, nil, handOverLimit)
	if err != nil {
		return false
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Cluster struct {
			Leader string `json:"leader"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return false
	}
	return answer.Error == nil && answer.Cluster.Leader != ""
}

// leads reports whether this core leads a stream.
func (e *embedded) leads(stream string) bool {
	return e.server.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
}
