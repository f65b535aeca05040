package client

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"selvedge/wire"
)

// The model is a server that keeps the contract in the simplest way: two logs,
// a list of joins and leaves, and one session that is cut and resumed. A
// session learns of joins and leaves late, and forwards logs, fills late
// channels and learns in any order.

const modelLogs = 2

type modelFrame struct {
	ch   wire.Channel
	prev wire.Seq
}

type membership struct{ from, v wire.Seq }

type change struct { // of the state log; its position is its index + 1
	ch     wire.Channel
	joined bool
	from   wire.Seq
}

type world struct {
	logs    [modelLogs][]modelFrame // seq = index + 1
	state   []change
	members map[wire.Channel]membership // truth
}

func (w *world) end(p wire.LogID) wire.Seq { return wire.Seq(len(w.logs[p])) }

func (w *world) publish(ch wire.Channel) {
	p := wire.LogOf(ch, modelLogs)
	var prev wire.Seq
	for i, f := range w.logs[p] {
		if f.ch == ch {
			prev = wire.Seq(i + 1)
		}
	}
	w.logs[p] = append(w.logs[p], modelFrame{ch, prev})
}

// toggle joins the room, or leaves it.
func (w *world) toggle(ch wire.Channel) {
	_, in := w.members[ch]
	w.state = append(w.state, change{ch, !in, w.end(wire.LogOf(ch, modelLogs))})
	if in {
		delete(w.members, ch)
	} else {
		last := w.state[len(w.state)-1]
		w.members[ch] = membership{last.from, wire.Seq(len(w.state))}
	}
}

// modelSession is the server's side of a connection; out is on its way.
type modelSession struct {
	w       *world
	v       wire.Seq
	pos     [modelLogs]wire.Seq
	members map[wire.Channel]membership
	late    map[wire.Channel]wire.Seq // filled up to
	focus   modelFocus
	skip    map[wire.Channel]wire.Seq // not late, but the client is further than its log
	out     []any
}

func (s *modelSession) send(m any) { s.out = append(s.out, m) }

// open answers a hello. Whether a channel of the cursor's that is ahead of its
// log is filled or skipped is the server's choice.
func (w *world) open(c *wire.Cursor, seen wire.Seq, fill bool, show []wire.RoomID) *modelSession {
	s := &modelSession{w: w, members: map[wire.Channel]membership{}, late: map[wire.Channel]wire.Seq{}, skip: map[wire.Channel]wire.Seq{}}
	s.focus = modelFocus{show: show, left: map[wire.Channel]wire.Seq{}}
	if c == nil {
		for ; s.v < seen; s.v++ {
			s.see(w.state[s.v])
		}
		for p := range s.pos {
			s.pos[p] = w.end(wire.LogID(p))
		}
		s.focus.base = s.pos
		s.send(&wire.Welcome{Cursor: wire.Cursor{Epoch: "e", At: wire.AtOf(s.pos[:]), V: s.v}})
		return s
	}
	for s.v = 0; s.v < max(seen, c.V); s.v++ {
		s.see(w.state[s.v])
	}
	positions, err := c.At.Positions(modelLogs)
	if err != nil {
		panic(err)
	}
	copy(s.pos[:], positions)
	s.focus.base = s.pos
	s.send(&wire.Welcome{Resumed: true, Cursor: *c})
	for ch, m := range s.members {
		p := wire.LogOf(ch, modelLogs)
		if own, ok := c.Behind[ch]; ok && m.v <= c.V {
			if !s.focus.shows(ch) {
				s.focus.left[ch] = own
			} else if own > s.pos[p] && !fill {
				s.skip[ch] = own
			} else {
				s.late[ch] = own
			}
		}
	}
	rooms := slices.SortedFunc(maps.Keys(s.members), func(a, b wire.Channel) int { return int(s.members[a].v) - int(s.members[b].v) })
	for _, ch := range rooms {
		if s.members[ch].v > c.V {
			s.join(ch)
		}
	}
	return s
}

func (s *modelSession) see(c change) {
	if c.joined {
		s.members[c.ch] = membership{c.from, s.v + 1}
	} else {
		delete(s.members, c.ch)
	}
}

func (s *modelSession) join(ch wire.Channel) {
	m := s.members[ch]
	if s.focus.shows(ch) {
		s.late[ch] = m.from
	} else {
		s.focus.left[ch] = m.from
	}
	s.send(&wire.Joined{Ch: ch, P: wire.LogOf(ch, modelLogs), From: m.from, V: m.v})
}

// learn applies the next change.
func (s *modelSession) learn() {
	if int(s.v) == len(s.w.state) {
		return
	}
	c := s.w.state[s.v]
	s.see(c)
	s.v++
	if c.joined {
		s.join(c.ch)
	} else {
		delete(s.late, c.ch)
		delete(s.skip, c.ch)
		delete(s.focus.left, c.ch)
		s.send(&wire.Left{Ch: c.ch, V: s.v})
	}
}

// forward takes the next frame of log p.
func (s *modelSession) forward(p wire.LogID) {
	if s.pos[p] == s.w.end(p) {
		return
	}
	s.pos[p]++
	f := s.w.logs[p][s.pos[p]-1]
	_, in := s.members[f.ch]
	_, late := s.late[f.ch]
	switch {
	case in && !s.focus.shows(f.ch):
		s.send(&wire.Activity{Ch: f.ch, P: p, Seq: s.pos[p]})
	case in && !late && s.pos[p] > s.skip[f.ch]:
		s.send(&Message{Ch: f.ch, P: p, Seq: s.pos[p], Prev: f.prev})
	}
}

// fill sends the next back frame of a late channel, or that it is live.
func (s *modelSession) fill(ch wire.Channel) {
	upto, late := s.late[ch]
	if !late {
		return
	}
	p := wire.LogOf(ch, modelLogs)
	for seq := upto + 1; seq <= s.pos[p]; seq++ {
		if f := s.w.logs[p][seq-1]; f.ch == ch {
			s.late[ch] = seq
			s.send(&Message{Ch: ch, P: p, Seq: seq, Prev: f.prev, Back: true})
			return
		}
	}
	delete(s.late, ch)
	s.skip[ch] = upto
	s.send(&wire.Live{Ch: ch, Seq: max(upto, s.pos[p])})
}

// watermark covers every log without a late channel.
func (s *modelSession) watermark() {
	at := wire.At{}
	for p := range s.pos {
		at[fmt.Sprint(p)] = s.pos[p]
	}
	for ch := range s.late {
		delete(at, fmt.Sprint(wire.LogOf(ch, modelLogs)))
	}
	s.send(&wire.CursorMoved{At: at, V: s.v})
}

// reader is the client's side.
type reader struct {
	Cursor
	got    map[wire.Channel][]wire.Seq
	waived map[wire.Channel]wire.Seq // up to here, what didn't come was withheld, and a cut came after that
}

func (r *reader) apply(t *rapid.T, m any) {
	var err error
	switch m := m.(type) {
	case *wire.Welcome:
		err = r.Welcome(m)
	case *wire.Joined:
		r.Joined(m)
	case *wire.Left:
		r.Left(m)
	case *wire.Live:
		r.Live(m)
	case *wire.CursorMoved:
		err = r.Moved(m)
	case *modelFocused:
		r.Focus(m.rooms, m.late)
	case *wire.Activity:
		if !r.hides(m.Ch) {
			t.Fatalf("%s has the focus: %+v", m.Ch, m)
		}
	case *Message:
		switch r.Message(m) {
		case Duplicate:
		case Hole:
			t.Fatalf("hole at %+v; cursor %+v", m, r.Snapshot())
		case Fresh:
			if got := r.got[m.Ch]; len(got) > 0 && got[len(got)-1] >= m.Seq {
				t.Fatalf("%s: %d delivered after %v", m.Ch, m.Seq, got)
			}
			r.got[m.Ch] = append(r.got[m.Ch], m.Seq)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestExactlyOnceInOrder(t *testing.T) {
	channels := []wire.Channel{"room:a", "room:b", "room:c", "room:d", "room:e"}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{members: map[wire.Channel]membership{}}
		for range rapid.IntRange(0, 4).Draw(t, "before") {
			ch := rapid.SampledFrom(channels).Draw(t, "ch")
			w.publish(ch)
			w.toggle(ch)
		}
		r := &reader{got: map[wire.Channel][]wire.Seq{}, waived: map[wire.Channel]wire.Seq{}}
		r.Focus(pickFocus.Draw(t, "focus"), nil)
		s := w.open(nil, wire.Seq(len(w.state)), false, r.Focused())
		start := s.pos
		r.apply(t, s.out[0])
		s.out = nil

		channel := rapid.SampledFrom(channels)
		log := rapid.Custom(func(t *rapid.T) wire.LogID { return wire.LogID(rapid.IntRange(0, modelLogs-1).Draw(t, "p")) })
		deliver := func(n int) {
			for _, m := range s.out[:n] {
				r.apply(t, m)
			}
			s.out = s.out[n:]
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish":   func(t *rapid.T) { w.publish(channel.Draw(t, "ch")) },
			"publish2":  func(t *rapid.T) { w.publish(channel.Draw(t, "ch")) },
			"toggle":    func(t *rapid.T) { w.toggle(channel.Draw(t, "ch")) },
			"learn":     func(*rapid.T) { s.learn() },
			"forward":   func(t *rapid.T) { s.forward(log.Draw(t, "p")) },
			"forward2":  func(t *rapid.T) { s.forward(log.Draw(t, "p")) },
			"fill":      func(t *rapid.T) { s.fill(channel.Draw(t, "ch")) },
			"watermark": func(*rapid.T) { s.watermark() },
			"focus":     func(t *rapid.T) { s.refocus(pickFocus.Draw(t, "focus"), rapid.Bool().Draw(t, "spare")) },
			"deliver":   func(t *rapid.T) { deliver(rapid.IntRange(0, len(s.out)).Draw(t, "n")) },
			"cut": func(t *rapid.T) {
				// What was on its way is lost, but for a part.
				deliver(rapid.IntRange(0, len(s.out)).Draw(t, "n"))
				c := r.Snapshot()
				r.waive(channels, &c)
				seen := rapid.IntRange(int(c.V), len(w.state)).Draw(t, "seen") // the next edge may lag as well
				s = w.open(&c, wire.Seq(seen), rapid.Bool().Draw(t, "fill"), r.Focused())
			},
		})
		for int(s.v) < len(w.state) {
			s.learn()
		}
		for p := range wire.LogID(modelLogs) {
			for s.pos[p] < w.end(p) {
				s.forward(p)
			}
		}
		finish := func() {
			for _, ch := range channels {
				for _, late := s.late[ch]; late; _, late = s.late[ch] {
					s.fill(ch)
				}
			}
			s.watermark()
			deliver(len(s.out))
		}
		finish()
		c := r.Snapshot()
		for ch := range w.members {
			if _, waits := c.Behind[ch]; waits && r.hides(ch) {
				t.Fatalf("the cursor waits for what will not come: %+v", c)
			}
		}
		s.refocus(nil, true) // what was withheld comes
		finish()
		for ch, m := range w.members {
			p := wire.LogOf(ch, modelLogs)
			for seq := max(m.from, start[p], r.waived[ch]) + 1; seq <= w.end(p); seq++ {
				if w.logs[p][seq-1].ch == ch && !slices.Contains(r.got[ch], seq) {
					t.Fatalf("%s: %d is lost; got %v, cursor %+v", ch, seq, r.got[ch], r.Snapshot())
				}
			}
		}
	})
}
