package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// focusReplies are the replies to focus, of all in the model.
const focusReplies = 1000

// view is what a reader of the model has on screen, and knows of it.
type view struct {
	// careful: a room that loses the focus keeps a position of its own in the
	// cursor, so that a session that resumes has all of it when it gains it.
	careful bool
	show    []wire.Channel
	focused bool                      // else all rooms are shown
	active  map[wire.Channel]wire.Seq // what activity said of the others
	had     []uint32                  // ids of the objects that came, in order
	docs    map[string]int            // their versions
	owed    map[string][]wire.Channel // who was referred to and has yet to come
}

// shows reports whether frames of ch are expected.
func (v *view) shows(ch wire.Channel) bool {
	_, isRoom := ch.Room()
	return !isRoom || !v.focused || slices.Contains(v.show, ch)
}

// lose forgets what a channel that is not shown owes: it may be told elsewhere.
func (v *view) lose(ch wire.Channel) {
	for user, chs := range v.owed {
		if chs = slices.DeleteFunc(chs, func(c wire.Channel) bool { return c == ch }); len(chs) == 0 {
			delete(v.owed, user)
		} else {
			v.owed[user] = chs
		}
	}
}

func (w *world) pickPeople() (author string, refs []string) {
	for range w.rnd.IntN(3) {
		refs = append(refs, w.people[w.rnd.IntN(len(w.people))])
	}
	if w.rnd.IntN(2) == 0 {
		author = w.people[w.rnd.IntN(len(w.people))]
	}
	return author, refs
}

// comes is bring, and notes what was known of documents then.
func (w *world) comes(p wire.LogID, upto wire.Seq) {
	w.mu.Lock()
	for seq := w.logs[p].sent + 1; seq <= upto; seq++ {
		w.brought[p][seq] = w.docs.clock
	}
	w.mu.Unlock()
	w.bring(p, upto)
}

// pickFocus are some rooms of the reader's user, or all.
func (rd *reader) pickFocus() (rooms []*cache.Channel, all bool) {
	for _, name := range rd.w.rooms { // in a fixed order
		if m := rd.w.users[rd.user][name]; m != nil && rd.w.rnd.IntN(2) == 0 {
			rooms = append(rooms, m.ch)
		}
	}
	return rooms, rd.w.rnd.IntN(5) < 2
}

func namesOf(rooms []*cache.Channel) []wire.Channel {
	names := []wire.Channel{}
	for _, ch := range rooms {
		names = append(names, ch.Name)
	}
	return names
}

func (rd *reader) focusReply(rooms []*cache.Channel, all bool) func(map[wire.Channel]wire.Seq) []byte {
	codec := rd.c.codec
	return func(late map[wire.Channel]wire.Seq) []byte {
		packets, err := Encode(struct {
			T    string                    `json:"t"`
			ID   uint64                    `json:"id"`
			Late map[wire.Channel]wire.Seq `json:"late"`
			Show []wire.Channel            `json:"show"`
			All  bool                      `json:"all"`
		}{wire.TReply, focusReplies, late, namesOf(rooms), all})
		if err != nil {
			rd.w.t.Error(err)
		}
		return packets[codec]
	}
}

func (rd *reader) refocus() {
	rooms, all := rd.pickFocus()
	rd.c.sock.Focus(rooms, nil, all, rd.focusReply(rooms, all))
}

// get is a reply that carries an object.
func (rd *reader) get() {
	w := rd.w
	user := w.people[w.rnd.IntN(len(w.people))]
	w.mu.Lock()
	d := w.docs.upTo(user, w.docs.clock)
	w.mu.Unlock()
	if d == nil {
		return
	}
	packets, err := Encode(struct {
		T   string `json:"t"`
		Key string `json:"key"`
		V   int    `json:"v"`
		Doc uint32 `json:"doc"`
		All bool   `json:"all"` // it is a reply's, and may come again
	}{wire.TObject, user, d.v, d.id, true})
	if err != nil {
		w.t.Error(err)
	}
	rd.c.sock.Send(packets[rd.c.codec])
	rd.c.sock.Saw(d.id)
}

// resumeView is what a cursor has of rooms that were out of focus: without a
// position of their own, they begin anew where their log stands.
func (rd *reader) resumeView(cur *wire.Cursor) {
	for name, seen := range rd.seen {
		if _, own := cur.Behind[name]; !own && !rd.view.shows(name) {
			rd.seen[name] = max(seen, cur.At[wire.LogOf(name, rigLogs).String()])
		}
	}
}

// beginView picks the focus of a session that begins.
func (rd *reader) beginView(st *Start) {
	rooms, all := rd.pickFocus()
	rd.view = view{careful: rd.view.careful}
	if st.Focused = !all; !all {
		st.Focus = rooms
		rd.view.show, rd.view.focused = namesOf(rooms), true
	}
	rd.view.active, rd.view.docs, rd.view.owed = map[wire.Channel]wire.Seq{}, map[string]int{}, map[string][]wire.Channel{}
}

// look checks what a message is to the reader's view. goOn says that it is to be
// looked at as any other, too.
func (rd *reader) look(m message, fail func(string, ...any)) (goOn bool) {
	v := &rd.view
	switch m.T {
	case wire.TMessage:
		if !v.shows(m.Ch) {
			fail("it is out of focus")
		}
		rd.refers(m, fail)
	case wire.TLive, wire.TGap:
		if !v.shows(m.Ch) {
			fail("it is out of focus")
		}
	case wire.TActivity:
		seen, takes := rd.seen[m.Ch]
		if v.shows(m.Ch) || !takes || len(rd.w.logs[m.P].between(m.Ch, seen, m.Seq)) == 0 {
			fail("takes %v, shows %v, it stood at %d", takes, v.shows(m.Ch), seen)
		}
		v.active[m.Ch] = max(v.active[m.Ch], m.Seq)
	case wire.TObject:
		if last := v.had[max(0, len(v.had)-maxSeen):]; !slices.Contains(last, m.Doc) {
			v.had = append(v.had, m.Doc)
		} else if !m.All {
			fail("it has it already")
		}
		v.docs[m.Key] = max(v.docs[m.Key], int(m.V))
		delete(v.owed, m.Key)
	case wire.TLeft:
		delete(v.active, m.Ch)
		v.lose(m.Ch)
	case wire.TReply:
		if m.ID == focusReplies {
			rd.focusMoves(m, fail)
			return false
		}
	}
	return true
}

// refers checks that the session has what a frame refers to, as the edge knew it
// when the frame came.
func (rd *reader) refers(m message, fail func(string, ...any)) {
	users := m.Refs
	if from, ok := m.From.(string); ok {
		users = append(users, from)
	}
	for _, user := range users {
		if d := rd.w.docs.upTo(user, rd.w.brought[m.P][m.Seq]); d != nil && rd.view.docs[user] < d.v {
			fail("of %s it has version %d, the edge has %d", user, rd.view.docs[user], d.v)
		}
		if rd.view.docs[user] == 0 {
			rd.view.owed[user] = append(rd.view.owed[user], m.Ch)
		}
	}
}

// focusMoves takes the reply to a focus.
func (rd *reader) focusMoves(m message, fail func(string, ...any)) {
	v := &rd.view
	for ch, from := range m.Late {
		p := wire.LogOf(ch, rigLogs)
		seen, takes := rd.seen[ch]
		if !takes || v.shows(ch) || len(rd.w.logs[p].between(ch, seen, from)) > 0 {
			fail("%s from %d: takes %v, shows %v, it stood at %d", ch, from, takes, v.shows(ch), seen)
		}
		rd.cursor.Joined(&wire.Joined{Ch: ch, P: p, From: from})
		rd.seen[ch] = max(seen, from)
	}
	was := *v
	v.show, v.focused = m.Show, !m.All
	for ch := range rd.seen {
		if v.shows(ch) {
			delete(v.active, ch)
			continue
		}
		v.lose(ch)
		if was.shows(ch) && v.careful {
			p := wire.LogOf(ch, rigLogs)
			rd.cursor.Joined(&wire.Joined{Ch: ch, P: p, From: rd.cursor.Covered(ch, p)})
		}
	}
}

// settleView checks that nothing is owed any more.
func (rd *reader) settleView() {
	for ch := range rd.seen {
		l := &rd.w.logs[wire.LogOf(ch, rigLogs)]
		if fs := l.between(ch, rd.seen[ch], l.end); !rd.view.shows(ch) && len(fs) > 0 && rd.view.active[ch] < fs[len(fs)-1].Seq {
			rd.w.t.Errorf("%s knows of activity of %s up to %d, not of %d", rd.user, ch, rd.view.active[ch], fs[len(fs)-1].Seq)
		}
	}
	for user, chs := range rd.view.owed {
		rd.w.t.Errorf("%s never got %s, referred to in %v", rd.user, user, chs)
	}
}
