package log

import (
	"context"
	"encoding/json"

	"selvedge/wire"
)

// look is what the keeper does about the other cores from time to time: it ends
// the store when one has changed the epoch, and ends this core's doubt.
func (s *Store) look(ctx context.Context, sess *session) {
	ctx, cancel := context.WithTimeout(ctx, infoLimit)
	defer cancel()
	records, err := sess.ask(ctx, epochStream, getRequest{LastFor: epochSubject})
	if err != nil {
		return // the next time, then
	}
	var now sharedEpoch
	if err := json.Unmarshal(records[0].data, &now); err != nil || now.Epoch == "" {
		s.log.ErrorContext(ctx, "the epoch of the logs can't be read", "err", err, "record", string(records[0].data))
		return
	}
	if now.Epoch != s.epoch {
		err := s.loseTail(ctx, now.Epoch, nil, "another core has changed the epoch: "+now.Cause)
		sess.fail(err)
		sess.close()
		return
	}
	s.heal(ctx, sess)
}

// heal ends this core's doubt when its copies have what the leaders' have, and
// the others are whole or the epoch takes account of it.
func (s *Store) heal(ctx context.Context, sess *session) {
	if s.doubt == "" || !s.risky && !whole(s.peers.only(s.cfg.Cluster.Peers.Peers())) || !sess.srv.current(s.streams()) {
		return
	}
	was := s.doubt
	s.doubt = ""
	err := s.save(false)
	if err == nil {
		err = s.cfg.Cluster.Peers.Announce(Peer{Name: s.peers.Self, Addr: s.peers.advertised})
	}
	if err != nil {
		s.doubt = was
		s.log.WarnContext(ctx, "this core's copy of the logs is whole, and that can't be told", "err", err)
		return
	}
	s.log.InfoContext(ctx, "this core's copy of the logs is whole")
}

// streams are the names of all of them.
func (s *Store) streams() []string {
	names := []string{epochStream, stateStream}
	for p := range s.cfg.Logs {
		names = append(names, streamName(wire.LogID(p)))
	}
	return names
}

// loseShared changes the epoch that several cores share, if nobody has yet, and
// ends the store.
func (s *Store) loseShared(ctx context.Context, sess *session, why string) error {
	now, at, err := sess.readEpoch(ctx)
	if err != nil {
		return err
	}
	if at == 0 || now.Epoch == s.epoch {
		now = sharedEpoch{Epoch: newEpoch(), Logs: s.cfg.Logs, Cause: why, Covers: s.doubts()}
		if err := sess.writeEpoch(ctx, &now, at); err != nil {
			return err
		}
	}
	return s.loseTail(ctx, now.Epoch, nil, why)
}

// watchPeers is Peers.Watch; nothing comes if there are none.
func (s *Store) watchPeers() (<-chan struct{}, func()) {
	if s.peers == nil {
		return nil, func() {}
	}
	return s.cfg.Cluster.Peers.Watch()
}

// readdress takes the others' addresses of now, and keeps them for the next start.
func (s *Store) readdress(ctx context.Context, sess *session) {
	if s.peers == nil || !s.peers.update(s.cfg.Cluster.Peers.Peers()) {
		return
	}
	routes, err := s.peers.routes()
	if err == nil {
		err = sess.srv.reroute(routes)
	}
	if err == nil {
		err = s.peers.write()
	}
	if err != nil {
		s.log.WarnContext(ctx, "the other cores' new addresses", "err", err)
		return
	}
	s.log.InfoContext(ctx, "other cores have new addresses", "others", s.peers.Others)
}
