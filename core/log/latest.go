package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// infoLimit is how long the leader of a log may take to say how it is.
	infoLimit = 2 * time.Second
	// heardLimit is how long ago a leader may have heard from a copy for that one
	// to count as following it. Leaders that have nothing to append speak to their
	// followers every one or two seconds, of an embedded server in half of that.
	heardLimit = 3 * time.Second
)

// errAlone: a leader that does not hear from a majority may be none any more.
var errAlone = errors.New("its leader does not hear from enough other copies")

// Latest is the end of log p as all cores together know it, not only this one: at
// least what anybody was acknowledged until heardLimit before the call, and most
// often until the call. End is at least that afterwards. It fails with
// ErrUnavailable, also where a core is cut off from the majority. Of a single
// core's log it is 0: nobody else writes it.
//
// A leader asks nobody before it answers, and one that is cut off goes on as a
// leader for up to 10 s (of an external NATS: 20 s), while the others have another.
// So its word counts only if copies that make a majority with it have followed it a
// moment ago: as long as one does, it elects nobody else. A core without a
// connection to any other needs not ask.
func (s *Store) Latest(ctx context.Context, p wire.LogID) (wire.Seq, error) {
	sess, err := s.session()
	if err != nil {
		return 0, err
	}
	if !sess.replicated() {
		return 0, nil
	}
	if sess.srv != nil && sess.srv.server.NumRoutes() == 0 {
		return 0, unavailable(errAlone)
	}
	have, err := sess.extent(ctx, p)
	if err != nil {
		return 0, err
	}
	if !have.followed {
		return 0, unavailable(fmt.Errorf("log %s: %w", logName(p), errAlone))
	}
	s.advance(p, have.last)
	return have.last, nil
}

// extent is what the leader of a log has.
type extent struct {
	first, last wire.Seq
	followed    bool // by a majority, not long ago
}

// extent asks the leader of a log what it has.
func (sess *session) extent(ctx context.Context, p wire.LogID) (extent, error) {
	m, err := sess.request(ctx, "$JS.API.STREAM.INFO."+streamName(p), nil, infoLimit)
	if err != nil {
		return extent{}, err
	}
	return parseExtent(m.Data)
}

func parseExtent(b []byte) (extent, error) {
	var info struct {
		Error *jetstream.APIError `json:"error"`
		State struct {
			First wire.Seq `json:"first_seq"`
			Last  wire.Seq `json:"last_seq"`
		} `json:"state"`
		Cluster struct {
			Leader   string `json:"leader"`
			Replicas []struct {
				Heard time.Duration `json:"active"` // how long ago; 0 = never
			} `json:"replicas"` // but for the leader
		} `json:"cluster"`
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return extent{}, unavailable(err)
	}
	if info.Error != nil {
		return extent{}, unavailable(info.Error)
	}
	following := 0
	for _, r := range info.Cluster.Replicas {
		if r.Heard > 0 && r.Heard <= heardLimit {
			following++
		}
	}
	others := len(info.Cluster.Replicas)
	return extent{
		first: info.State.First, last: info.State.Last,
		followed: following >= (others+1)/2 && (others == 0 || info.Cluster.Leader != ""),
	}, nil
}
