package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The epoch of logs that several cores share is a record in a stream of its own,
// replicated like the logs. Whoever makes the logs creates it; it is replaced on
// the condition that nobody was faster.
//
// With an external NATS it changes when a log ends before a position that this
// core has shown, or has another record there (proof.go), or when a log is
// missing. What else its operator loses is the operator's to know.
//
// In a cluster, an acknowledged record is in two copies of three. A core is in
// doubt when its own copy may lack a tail: the system went down while the logs
// were open (an unclean stop, another boot id, sync default), or its folder is
// new. Its vote is then worth nothing: two cores of which one is in doubt may
// agree on a log that lacks what the third has. So a core in doubt says so by
// gossip, and starts its server only
//
//   - when both others are open and not in doubt: they have everything, it is
//     healed by them, and the epoch stays. So the power loss or the wiped folder
//     of one core changes nothing;
//   - when another is in doubt as well: a majority may have lost a tail, so the
//     epoch changes;
//   - after a minute, so that the cluster is not down for as long as a third core
//     is: the epoch changes.
//
// The epoch changes once for all that were in doubt then: the record names their
// starts. It also changes when a log ends before a position that a core has
// shown, or has another record there: see proof.go, also for what becomes of the
// core's own copy then. A core is in doubt until its copies have what the leaders' have.

// sharedEpoch is that record.
type sharedEpoch struct {
	Epoch string `json:"epoch"`
	Logs  int    `json:"logs"`
	Cause string `json:"cause"`
	// Covers are the doubts that this epoch takes account of.
	Covers []string `json:"covers,omitempty"`
}

const (
	epochStream  = "epoch"
	epochSubject = "e"
	// epochPeriod is how often a core looks whether another has changed the epoch.
	epochPeriod = time.Second
	settlePause = 250 * time.Millisecond
	shortChecks = 3
	// externalLimit is how long a NATS of others may have no leader at our start.
	externalLimit = 30 * time.Second
)

func epochConfig(cfg *Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: epochStream, Subjects: []string{epochSubject}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: 1, MaxMsgSize: 64 << 10, Replicas: cfg.Replicas, AllowDirect: true,
	}
}

// settled is what a store of shared logs begins with.
type settled struct {
	epoch sharedEpoch
	lasts []wire.Seq
	why   string // the epoch is new for this reason, "" = it is not
}

// settle opens the logs that others may be opening as well, and decides on the
// epoch with them. It tries until ctx ends, since a cluster takes its time to
// agree; ErrSettings is final, and so is what an external NATS says for long.
func (s *Store) settle(ctx context.Context, sess *session, was *mark) (settled, error) {
	begin := time.Now()
	for told := false; ; {
		out, err := s.trySettle(ctx, sess, was)
		if err == nil || errors.Is(err, ErrSettings) || sess.kind == kindExternal && time.Since(begin) > externalLimit {
			return out, err
		}
		s.cfg.Waiting("waiting for the logs to have a leader")
		if !told {
			told = true
			s.log.InfoContext(ctx, "waiting for the logs", "cause", err)
		}
		select {
		case <-sess.failed:
			return out, sess.cause
		default:
			s.readdress(ctx, sess)
		}
		if sleep(ctx, settlePause) != nil {
			return out, fmt.Errorf("%w: %w", unavailable(ctx.Err()), err)
		}
	}
}

func (s *Store) trySettle(ctx context.Context, sess *session, was *mark) (out settled, err error) {
	if _, _, err := sess.makeStream(ctx, epochConfig(&s.cfg)); err != nil {
		return out, err
	}
	found, at, err := sess.readEpoch(ctx)
	if err != nil {
		return out, err
	}
	switch {
	case at == 0:
		s.cfg.Logs = or(s.cfg.Logs, defaultLogs)
	case s.cfg.Logs != 0 && s.cfg.Logs != found.Logs:
		return out, fmt.Errorf("%w: there are %d frame logs, and %d are asked for: their number is fixed for good: use %d", ErrSettings, found.Logs, s.cfg.Logs, found.Logs)
	default:
		s.cfg.Logs = found.Logs
	}
	lasts, made, err := sess.makeLogs(ctx, &s.cfg)
	if err != nil {
		return out, err
	}
	out = settled{epoch: found, lasts: lasts}
	out.why = s.doubted(was, &out, at, made)
	unlike, copied := "", false
	if was.Epoch != "" && at > 0 && !made {
		if unlike, copied, err = s.unlike(ctx, sess, was, &out); err != nil {
			return out, err
		}
	}
	if was.Epoch == found.Epoch {
		out.why = or(out.why, unlike)
	}
	if out.why != "" {
		next := sharedEpoch{Epoch: newEpoch(), Logs: s.cfg.Logs, Cause: out.why, Covers: s.doubts()}
		if err := sess.writeEpoch(ctx, &next, at); err != nil {
			return out, err // someone was faster, or it is not known: look again
		}
		out.epoch = next
	}
	if copied {
		return out, fmt.Errorf("%w: %s has a copy of the logs that differs from the other cores' (%s): keep it elsewhere if it matters, and start this core with an empty folder: the others fill it",
			ErrSettings, s.cfg.Dir, unlike)
	}
	return out, nil
}

// doubted says why the epoch that was found can't stay, "" = it can.
func (s *Store) doubted(was *mark, out *settled, at wire.Seq, made bool) string {
	known := was.Epoch != "" && was.Epoch == out.epoch.Epoch
	switch {
	case at == 0:
		return "new logs"
	case made:
		return "a log was missing"
	case s.risky && !slices.Contains(out.epoch.Covers, s.doubt) && (known || was.Epoch == ""):
		return "this core and another may lack a tail"
	}
	return ""
}

// unlike says how the logs that were found differ from what this core has seen of
// them, "" = they don't; and whether its own copy still has that.
func (s *Store) unlike(ctx context.Context, sess *session, was *mark, out *settled) (why string, copied bool, err error) {
	member := sess.kind == kindCluster
	if why, err = s.disproved(ctx, sess, was.Proofs); err != nil || why != "" {
		return why, member, err
	}
	// A leader that is none any more may answer for a moment.
	for range shortChecks {
		if why = was.short(named(out.lasts)); why == "" {
			return "", false, nil
		}
		if err := sleep(ctx, settlePause); err != nil {
			return "", false, err
		}
		if out.lasts, _, err = sess.makeLogs(ctx, &s.cfg); err != nil {
			return "", false, err
		}
	}
	why = was.short(named(out.lasts))
	return why, why != "" && member && s.doubt == "", nil // in doubt, it may lack that itself
}

// doubts are this core's and the others', as far as they are known.
func (s *Store) doubts() []string {
	if s.cfg.Cluster == nil {
		return nil
	}
	var all []string
	if s.doubt != "" {
		all = append(all, s.doubt)
	}
	for _, p := range s.cfg.Cluster.Peers.Peers() {
		if p.Doubt != "" {
			all = append(all, p.Doubt)
		}
	}
	return all
}

// readEpoch is the record as the stream's leader has it; at 0 = there is none.
func (s *session) readEpoch(ctx context.Context) (e sharedEpoch, at wire.Seq, err error) {
	r, err := s.askLeader(ctx, epochStream, getRequest{LastFor: epochSubject})
	if errors.Is(err, errNotFound) {
		return e, 0, nil
	}
	if err != nil {
		return e, 0, err
	}
	if err := json.Unmarshal(r.data, &e); err != nil || e.Epoch == "" || e.Logs < 1 || e.Logs > wire.MaxLogs {
		return e, 0, fmt.Errorf("%w: stream %s holds %q, which is no epoch", ErrSettings, epochStream, r.data)
	}
	return e, r.seq, nil
}

// writeEpoch replaces the record at a position, 0 = there is none yet.
func (s *session) writeEpoch(ctx context.Context, e *sharedEpoch, at wire.Seq) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode the epoch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sharedLimit)
	defer cancel()
	_, err = s.js.PublishMsg(ctx, &nats.Msg{
		Subject: epochSubject, Data: b,
		Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(uint64(at), 10)}},
	})
	if err != nil {
		return fmt.Errorf("write the epoch: %w", unavailable(err))
	}
	return nil
}

// named is the ends by name, as a mark keeps them.
func named(lasts []wire.Seq) map[string]wire.Seq {
	m := make(map[string]wire.Seq, len(lasts))
	for i, last := range lasts {
		p := wire.LogID(i)
		if i == len(lasts)-1 {
			p = wire.StateLog
		}
		m[logName(p)] = last
	}
	return m
}
