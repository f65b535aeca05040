package session

import (
	"golang.org/x/sync/errgroup"

	"selvedge/edge/fanout"
	"selvedge/wire"
)

// reason is why the core is asked for a welcome: something that it needs is not known
// for sure here. It is a label of a metric.
type reason string

const (
	// userUnknown: no answer of the core has told of the user's rooms yet, or nobody was
	// here for as long as they are kept (linger).
	userUnknown reason = "user"
	// userMoves: a join or leave is on its way to the user's sessions.
	userMoves reason = "moves"
	// clientAhead: the client has seen a later state than this edge, elsewhere; or its
	// cursor is of logs that are not these, and the core says which there are (rule 16).
	clientAhead reason = "ahead"
	// clientBehind: memberships have changed since the client's cursor, and it is to be
	// told how. What they were is not kept here.
	clientBehind reason = "behind"
	// beginningUnknown: the client's position may be before the beginning of one of its
	// memberships, whose earlier frames are not for it. Where each began is not kept.
	beginningUnknown reason = "beginning"
	// stateStale: the last watermark of the state log is too old (rule 5).
	stateStale reason = "stale"
	// documentUnknown: the user's document is not at hand: it was evicted, or nobody
	// came back since the user was loaded.
	documentUnknown reason = "document"
	// activityUnknown: it isn't known which rooms were active last: the user is in a
	// few rooms, and nobody came back since it was loaded; or a room of many may have
	// had frames between what the core said and the marker of its interest; or one that
	// the core has told of was left, and it is not known which is the next.
	activityUnknown reason = "activity"
	// roomUnknown: the document, or the number of members, of a room that is to be
	// described is not at hand: it was evicted, or the room was quiet before. Only such
	// rooms are asked for, if they are few.
	roomUnknown reason = "room"
)

// Reasons are all labels that Events.Asked is called with.
func Reasons() []string {
	var out []string
	for _, why := range []reason{
		userUnknown, userMoves, clientAhead, clientBehind, beginningUnknown, stateStale, documentUnknown, activityUnknown, roomUnknown,
	} {
		out = append(out, string(why))
	}
	return out
}

// maxLacking is how many rooms a welcome may lack and still be put together here:
// each is asked for by itself, for all who lack it. Of more, one question for the
// whole welcome is less work.
const maxLacking = 16

// greet begins a session from what this edge knows, if that is all that the welcome
// needs; else it asks the core for the rest, or for all of it. waits says that the
// welcome follows.
func (s *session) greet(g *greeting) (waits bool) {
	why, lacking := s.welcomeHere(g, nil)
	if s.m.cfg.Events.Cache("hello", hitOrMiss(why == ""), 1); why == "" {
		return false
	}
	s.m.cfg.Events.Asked(string(why))
	if why == roomUnknown && len(lacking) <= maxLacking {
		s.m.spawn(func() { s.greetWith(g, lacking) })
	} else {
		s.m.hellos.ask(g)
	}
	return true
}

// greetWith begins a session whose welcome lacks the descriptions of some rooms.
func (s *session) greetWith(g *greeting, lacking []wire.RoomID) {
	pos := s.m.Position() // what the client has seen, and this edge
	rooms := make([]describedRoom, len(lacking))
	var asking errgroup.Group
	for i, id := range lacking {
		asking.Go(func() (err error) {
			rooms[i], err = s.m.room(id)
			return err
		})
	}
	err := asking.Wait()
	extra := make(map[wire.RoomID]describedRoom, len(rooms))
	for _, r := range rooms {
		if r.read >= pos { // else somebody had asked before
			extra[r.info.ID] = r
		}
	}
	if err == nil {
		if why, _ := s.welcomeHere(g, extra); why == "" {
			s.goOn()
			return
		}
	}
	s.m.hellos.ask(g)
}

// welcomeHere begins a session without the core, or with no more of it than extra.
// What it says is as the core would say it, and no older than the last watermark;
// else it says why not, with the rooms that it would have to describe if that is all
// that it lacks, and has done nothing but to hold the session's topics.
func (s *session) welcomeHere(g *greeting, extra map[wire.RoomID]describedRoom) (why reason, lacking []wire.RoomID) {
	m, u := s.m, g.u
	heard := m.heard(wire.StateLog)
	pos, told := m.Position(), m.seen.upto() // before the user is looked at: every record up to pos has reached it
	rooms, v, born, why := u.calm()
	if why != "" {
		return why, nil
	}
	defer m.engine.Numbers().Release(rooms)
	epoch, at := *m.epoch.Load(), s.sock.AppendPositions(nil)
	if r := g.resume; r != nil {
		switch at = r.at; {
		case r.cursor.Epoch != epoch || r.cursor.V > pos:
			return clientAhead, nil
		case r.cursor.V < v:
			return clientBehind, nil
		}
	}
	switch {
	case heard.stale():
		return stateStale, nil
	case !m.begun.passed(at, born):
		return beginningUnknown, nil
	}
	doc, ok := m.objects.Peek(userPrefix + string(u.id()))
	if !ok {
		return documentUnknown, nil
	}
	me := doc.Told()
	list, ok := m.recent(u, rooms, extra)
	switch {
	case !ok:
		return activityUnknown, nil
	case len(list.lacking) > 0:
		return roomUnknown, list.lacking
	}
	h := &wire.Hello{
		User:  wire.AppendUserInfo(nil, &wire.UserInfo{ID: u.id(), V: me.V, Data: me.Data}),
		Rooms: list.infos, More: list.more, RoomsV: v,
	}
	o := s.open(g, &wire.Answer{Epoch: epoch, V: told}, h, g.resume, at)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.restlessLocked() != "" || u.v != v {
		return userMoves, nil // it is opened again; its topics are held already
	}
	if _, posted := s.postLocked(u, o); !posted {
		panic("a session without joins lacks a room")
	}
	result := "fresh"
	if g.resume != nil {
		result = "resumed"
	}
	m.cfg.Events.Resume(result)
	return "", nil
}

// calm are the channels of a user, held, if they are known and nothing is happening
// to them; v is the state position of the last change, and born bounds where they
// began.
func (u *user) calm() (rooms fanout.Rooms, v wire.Seq, born turn, why reason) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if why = u.restlessLocked(); why != "" {
		return rooms, 0, 0, why
	}
	return u.m.engine.Numbers().Hold(u.rooms), u.v, u.born, ""
}

// restlessLocked is why a user's channels are not to be relied on; "" = they are.
func (u *user) restlessLocked() reason {
	switch {
	case !u.loaded || u.gone:
		return userUnknown
	case u.changes != nil:
		return userMoves
	default:
		return ""
	}
}

// isLoaded reports whether the user's rooms are known.
func (u *user) isLoaded() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.loaded
}
