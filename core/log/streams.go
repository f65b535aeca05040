package log

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go/jetstream"
)

// makeLogs makes the streams, or gives those that there are their limits. lasts
// has the end of each log; the state log's is the last one. made says that at
// least one did not exist.
func (s *session) makeLogs(ctx context.Context, cfg *Config) (lasts []wire.Seq, made bool, err error) {
	for p := range cfg.Logs + 1 {
		last, isNew, err := s.makeStream(ctx, streamConfig(cfg, p))
		if err != nil {
			return nil, false, err
		}
		lasts, made = append(lasts, last), made || isNew
	}
	return lasts, made, nil
}

// makeStream makes one stream. One of an external NATS is left as it is: it
// must be fit for us.
func (s *session) makeStream(ctx context.Context, want jetstream.StreamConfig) (last wire.Seq, made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	stream, err := s.js.Stream(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		made = true
		stream, err = s.js.CreateStream(ctx, want)
	case err != nil:
	case s.kind == kindExternal:
		if why := unfit(stream.CachedInfo().Config, want); why != "" {
			return 0, false, fmt.Errorf("%w: stream %s of the external NATS: %s: change that, or give Selvedge an account of its own", ErrSettings, want.Name, why)
		}
	case outdated(stream.CachedInfo().Config, want):
		stream, err = s.js.UpdateStream(ctx, want)
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	if ok && api.ErrorCode == codeNoStorage {
		return 0, false, fmt.Errorf("%w: log %s reserves %d bytes, and NATS has no room for that: raise its max_file_store, or lower --keep-bytes", ErrSettings, want.Name, want.MaxBytes)
	}
	if ok && api.ErrorCode == codeNoReplicas {
		return 0, false, fmt.Errorf("%w: %d copies are asked for, and the external NATS is a single server: use --replicas 1, or a cluster of %d", ErrSettings, want.Replicas, want.Replicas)
	}
	if err != nil {
		return 0, false, fmt.Errorf("open log %s: %w", want.Name, err)
	}
	return wire.Seq(stream.CachedInfo().State.LastSeq), made, nil
}

// outdated reports whether a stream of ours has other limits than asked for.
func outdated(have, want jetstream.StreamConfig) bool {
	return have.MaxAge != want.MaxAge || have.MaxBytes != want.MaxBytes || have.MaxMsgSize != want.MaxMsgSize ||
		want.Duplicates != 0 && have.Duplicates != want.Duplicates
}

// unfit says why a stream that others keep can't be a log, "" = it can. Its
// limits may be others than ours, but for what would delete inside the log.
func unfit(have, want jetstream.StreamConfig) string {
	switch {
	case len(have.Subjects) != 1 || have.Subjects[0] != want.Subjects[0]:
		return fmt.Sprintf("its subjects are %q, and must be %q", have.Subjects, want.Subjects)
	case have.Storage != jetstream.FileStorage:
		return "its storage is memory, and must be file"
	case have.Retention != jetstream.LimitsPolicy:
		return fmt.Sprintf("its retention is %v, and must be limits", have.Retention)
	case have.Discard != jetstream.DiscardOld && (have.MaxMsgs > 0 || have.MaxBytes > 0):
		return "it refuses new records when it is full: discard must be old"
	case have.MaxMsgsPerSubject != want.MaxMsgsPerSubject:
		return fmt.Sprintf("it keeps %d records of a subject, and must keep %d (-1 = all)", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	case have.AllowMsgTTL:
		return "it lets single records expire: allow_msg_ttl must be off"
	case have.MaxMsgSize >= 0 && have.MaxMsgSize < want.MaxMsgSize:
		return fmt.Sprintf("it takes records of %d bytes at most, and must take %d: max_msg_size", have.MaxMsgSize, want.MaxMsgSize)
	case want.MaxAge == 0 && (have.MaxAge != 0 || have.MaxBytes > 0 || have.MaxMsgs > 0):
		return "it has a limit of age, size or number, and must keep everything"
	case have.Duplicates < want.Duplicates:
		return fmt.Sprintf("it remembers idempotency ids for %v, and must for %v: duplicate_window", have.Duplicates, want.Duplicates)
	case !have.AllowDirect:
		return "it doesn't allow direct gets: allow_direct must be on"
	case have.Sealed || have.NoAck || have.Mirror != nil || len(have.Sources) > 0 || have.SubjectTransform != nil:
		return "it is sealed, doesn't acknowledge, or is a copy of others: make a plain one"
	}
	return ""
}

// streamConfig is the stream of log p; p == cfg.Logs is the state log.
// DenyDelete and DenyPurge stay off: they can't be taken back, and erasure will
// need them.
func streamConfig(cfg *Config, p int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxMsgs:     -1,
		MaxMsgSize:  maxRecord + 4<<10,
		Replicas:    cfg.Replicas,
		AllowDirect: true,
	}
	if p == cfg.Logs {
		c.Name, c.Subjects = stateStream, []string{"s.>"}
		c.MaxBytes, c.MaxMsgsPerSubject = -1, 1
		return c
	}
	c.Name, c.Subjects = streamName(wire.LogID(p)), []string{fmt.Sprintf("f.%d.*", p)}
	c.MaxBytes, c.MaxMsgsPerSubject = cfg.MaxBytes, -1
	c.MaxAge, c.Duplicates = cfg.MaxAge, cfg.DedupWindow
	return c
}

const (
	stateStream  = "state"
	framesPrefix = "frames-"
)

func streamName(p wire.LogID) string {
	if p == wire.StateLog {
		return stateStream
	}
	return fmt.Sprintf("%s%02d", framesPrefix, p)
}

func encodeID[S ~string](id S) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

func channelSubject(p wire.LogID, ch wire.Channel) string {
	return fmt.Sprintf("f.%d.%s", p, encodeID(ch))
}

func appendStateSubject(dst []byte, r *wire.StateRecord) []byte {
	switch r.Kind {
	case wire.StateUser:
		return appendID(append(dst, "s.u."...), r.User)
	case wire.StateRoom:
		return appendID(append(dst, "s.r."...), r.Room)
	case wire.StateMember:
		return appendID(append(appendID(append(dst, "s.m."...), r.Room), '.'), r.User)
	}
	return dst // not a checked record: nothing takes it
}

func appendID[S ~string](dst []byte, id S) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, []byte(id))
}

const (
	startLimit  = 5 * time.Minute // a full scan after kill -9 takes long on large stores
	sharedLimit = 2 * time.Second // of one question to a cluster, which may have no leader; it is asked again
)
