package session

import (
	"context"
	"slices"
	"strings"
	"sync"

	"selvedge/edge/cache"
	"selvedge/edge/objects"
	"selvedge/wire"
)

const (
	userPrefix = "user:"
	roomPrefix = "room:"
	// replyBytes is what the documents of one reply may take, so that it stays
	// below wire.MaxReply in either codec.
	replyBytes = wire.MaxReply / 2
)

// get answers with documents. What the asker may not see is missing, as is what
// does not exist: the difference is nobody's business. A room is visible to its
// members, a user to those who share a room.
func (s *session) get(msg *wire.ClientMessage) (now, later func() error) {
	if len(msg.Objects) == 0 || len(msg.Objects) > wire.MaxPage {
		return refused(refuse(wire.BadRequest, "objects: 1 to %d keys are needed", wire.MaxPage)), nil
	}
	msg.Objects = once(msg.Objects)
	keys := msg.Objects
	if msg.Watch {
		if err := s.watch(keys); err != nil {
			return refused(err), nil
		}
	}
	found, heard, before := make([]*objects.Object, len(keys)), s.m.heard(wire.StateLog), s.m.turns.n.Load()
	if s.seenHere() && s.atHand(keys, found) &&
		(len(keys) == 1 || s.m.turns.same(before) && latest(found) <= s.m.rosters.Position()) {
		return func() error {
			s.sendObjects(msg, found, heard.stale())
			return nil
		}, nil
	}
	return nil, func() error {
		ctx, cancel := s.m.context()
		defer cancel()
		seen := s.m.heard(wire.StateLog)
		wanted, places, err := s.visible(ctx, keys)
		if err != nil {
			return err
		}
		got := make([]*objects.Object, len(wanted))
		once, err := s.m.atOnce(ctx, wire.RoomsKey(s.user.id()), func() (wire.Seq, error) {
			heard = s.m.heard(wire.StateLog)
			err := s.m.objects.Get(ctx, wanted, got)
			if len(wanted) == 1 {
				return 0, err // one document is of one moment, wherever the stream is
			}
			return latest(got), err
		})
		if err != nil {
			return err
		}
		clear(found)
		for n, i := range places {
			found[i] = got[n]
		}
		// Who may see what is as old as the question.
		s.sendObjects(msg, found, !once || seen.stale() || heard.stale())
		return nil
	}
}

// latest is the latest position of some documents: those that don't exist have the one
// that they were looked for at; nil ones are of no position.
func latest(found []*objects.Object) (v wire.Seq) {
	for _, o := range found {
		if o != nil {
			v = max(v, o.V)
		}
	}
	return v
}

// once is list without repetitions.
func once(list []string) []string {
	if len(list) == 1 {
		return list
	}
	seen := make(map[string]struct{}, len(list))
	return slices.DeleteFunc(list, func(s string) bool {
		n := len(seen)
		seen[s] = struct{}{}
		return len(seen) == n
	})
}

// atHand finds the documents that the session may see, if nobody has to be
// asked for that.
func (s *session) atHand(keys []string, out []*objects.Object) bool {
	for i, key := range keys {
		visible, known := s.sees(key)
		if !known {
			return false
		}
		if !visible {
			continue
		}
		o, ok := s.m.objects.Peek(key)
		if !ok {
			return false
		}
		out[i] = o
	}
	s.m.cfg.Events.Cache("object", hitOrMiss(true), len(keys))
	return true
}

// sees reports whether the session may see an object, if that is known here.
func (s *session) sees(key string) (visible, known bool) {
	kind, id, _ := strings.Cut(key, ":")
	switch {
	case wire.CheckID(id) != nil:
		return false, true
	case kind == "room":
		return s.user.isMember(wire.RoomID(id)), true
	case kind != "user":
		return false, true
	case wire.UserID(id) == s.user.id():
		return true, true
	}
	shared := s.m.rosters.Known(wire.UserID(id), s.user.isMember)
	return shared, shared
}

// visible are those of keys that the session may see, and which of them they are. It
// waits for the core if it has to. What it says is of one moment or another while it
// waits: an answer tells the documents of one, but who may see them is looked at once.
func (s *session) visible(ctx context.Context, keys []string) (wanted []string, places []int, err error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, nil, err
	}
	visible := make([]bool, len(keys))
	var doubtful []int
	var users []wire.UserID
	for i, key := range keys {
		known := false
		if visible[i], known = s.sees(key); !known {
			doubtful = append(doubtful, i)
			users = append(users, wire.UserID(strings.TrimPrefix(key, userPrefix)))
		}
	}
	if len(users) > 0 {
		shared, err := s.shares(ctx, users)
		if err != nil {
			return nil, nil, err
		}
		for n, i := range doubtful {
			visible[i] = shared[n]
		}
	}
	for i, ok := range visible {
		if ok {
			wanted, places = append(wanted, keys[i]), append(places, i)
		}
	}
	return wanted, places, nil
}

// look finds a document, if the session may see it. It waits for the core if it has to.
func (s *session) look(key string) (*objects.Object, bool) {
	ctx, cancel := s.m.context()
	defer cancel()
	wanted, _, err := s.visible(ctx, []string{key})
	if err != nil || len(wanted) == 0 {
		return nil, false
	}
	found := make([]*objects.Object, 1)
	err = s.m.objects.Get(ctx, wanted, found)
	return found[0], err == nil
}

// scratch holds replies while they are put together.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the most of it that is kept, in bytes.
const maxScratch = 64 << 10

// sendObjects answers a get, with as many as fit.
func (s *session) sendObjects(msg *wire.ClientMessage, found []*objects.Object, stale bool) {
	r := wire.ObjectsParts{ID: msg.ID, Stale: stale}
	size := 0
	saw := make([]uint32, 0, len(found))
	for i, o := range found {
		if o == nil || !o.Exists() {
			r.Missing = append(r.Missing, msg.Objects[i])
			continue
		}
		if size += len(o.Data); size > replyBytes && len(r.Objects) > 0 {
			r.Next = msg.Objects[i]
			break
		}
		r.Objects = append(r.Objects, wire.ObjectItem{Key: o.Key, Object: wire.Object{V: o.V, Data: o.Data}})
		saw = append(saw, o.ID())
	}
	s.sock.Saw(saw...)
	text := scratch.Get().(*[]byte)
	*text = wire.AppendObjects((*text)[:0], &r)
	s.sock.Send(cache.PacketIn(cache.FormOf(s.sock.Codec(), false), *text))
	if cap(*text) <= maxScratch {
		scratch.Put(text)
	}
}

// maxWatched bounds the objects that a session watches.
const maxWatched = 1000

// watch has the session told of changes of objects. Whether it may see them is
// looked at with each change.
func (s *session) watch(keys []string) error {
	x := s.extras()
	if x.watched == nil {
		x.watched = map[string]struct{}{}
	}
	for _, key := range keys {
		if _, ok := x.watched[key]; ok || !isObject(key) {
			continue
		}
		if len(x.watched) >= maxWatched {
			return refuse(wire.RateLimited, "a session watches at most %d objects", maxWatched)
		}
		if !s.m.objects.Watch(key, s) {
			return refuse(wire.Unavailable, "too much is watched at this edge")
		}
		x.watched[key] = struct{}{}
	}
	return nil
}

// isObject reports whether key can be one of an object.
func isObject(key string) bool {
	kind, id, _ := strings.Cut(key, ":")
	return (kind == "user" || kind == "room") && wire.CheckID(id) == nil
}

// unwatch ends what watch began, of some objects and rooms.
func (s *session) unwatch(msg *wire.ClientMessage) {
	rooms, _, err := wire.RoomList(msg.Rooms)
	if err != nil {
		s.fail(msg.ID, wire.BadRequest, err.Error())
		return
	}
	keys := msg.Objects
	for _, id := range rooms {
		keys = append(keys, roomPrefix+string(id))
	}
	if x := s.more; x != nil {
		for _, key := range keys {
			if _, ok := x.watched[key]; ok {
				delete(x.watched, key)
				s.m.objects.Unwatch(key, s)
			}
		}
	}
	s.sock.SendMessage(wire.Reply{T: wire.TReply, ID: msg.ID})
}

// ObjectMoved implements objects.Watcher.
func (s *session) ObjectMoved(o *objects.Object) {
	visible, known := s.sees(o.Key)
	switch {
	case visible:
		s.sock.Send(o.PacketIn(cache.FormOf(s.sock.Codec(), false)))
	case !known:
		s.m.serve(func() {
			if now, ok := s.look(o.Key); ok {
				s.sock.Send(now.PacketIn(cache.FormOf(s.sock.Codec(), false)))
			}
		})
	}
}
