package roster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"selvedge/wire"
)

// moments are the positions of the log from one on.
func (c *core) moments(from wire.Seq) (list []wire.Seq) {
	for v := from; v <= c.end(); v++ {
		list = append(list, v)
	}
	return list
}

func (c *core) checkPage(room wire.RoomID, after wire.UserID, limit int, got []wire.UserID, next string, count int, from wire.Seq) error {
	c.mu.Lock()
	list := c.rooms[room]
	c.mu.Unlock()
	for _, v := range c.moments(from) {
		members := membersAt(list, v)
		want, wantNext := pageOf(members, after, limit)
		if slices.Equal(got, want) && next == wantNext && count == len(members) {
			return nil
		}
	}
	return fmt.Errorf("page of %s after %q: %v, next %q, of %d is of no moment since %d, e.g. not of the end: %v",
		room, after, got, next, count, from, membersAt(list, c.end()))
}

func (c *core) checkCount(room wire.RoomID, got int, from wire.Seq) error {
	c.mu.Lock()
	list := c.rooms[room]
	c.mu.Unlock()
	for _, v := range c.moments(from) {
		if len(membersAt(list, v)) == got {
			return nil
		}
	}
	return fmt.Errorf("count of %s: %d is of no moment since %d", room, got, from)
}

// fit is how a user fits at a moment.
func (c *core) fit(id wire.UserID, prefix string, v wire.Seq) class {
	name := fold(nameAt(c.names[id], v))
	if name == "" {
		name = fold(string(id))
	}
	return classOf(name, fold(string(id)), prefix)
}

// checkSearch looks at each user: who was in one of the rooms all the time, and
// did fit, is found; who is found was in one at some time, and did fit. If nothing
// has changed, it is exactly the model's answer.
func (c *core) checkSearch(rooms []wire.RoomID, prefix string, got []wire.UserID, from wire.Seq) error {
	prefix = fold(prefix)
	moments := c.moments(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(moments) == 1 {
		if want := c.searchLocked(rooms, prefix, from); !slices.Equal(got, want) {
			return fmt.Errorf("search %q in %v at %d: %v, want %v", prefix, rooms, from, got, want)
		}
		return nil
	}
	for id := range c.names {
		must, may := false, false
		for _, room := range rooms {
			always, once := true, false
			for _, v := range moments {
				_, in := slices.BinarySearch(membersAt(c.rooms[room], v), id)
				always, once = always && in, once || in
			}
			must, may = must || always, may || once
		}
		fits, mayFit := true, false
		for _, v := range moments {
			ok := c.fit(id, prefix, v) != unfit
			fits, mayFit = fits && ok, mayFit || ok
		}
		switch found := slices.Contains(got, id); {
		case !found && must && fits:
			return fmt.Errorf("search %q in %v since %d misses %s: %v", prefix, rooms, from, id, got)
		case found && (!may || !mayFit):
			return fmt.Errorf("search %q in %v since %d found %s", prefix, rooms, from, id)
		}
	}
	return nil
}

func (c *core) searchLocked(rooms []wire.RoomID, prefix string, v wire.Seq) (ids []wire.UserID) {
	type found struct {
		c    class
		name string
		id   wire.UserID
	}
	var all []found
	for id := range c.names {
		f := found{c.fit(id, prefix, v), fold(nameAt(c.names[id], v)), id}
		if f.name == "" {
			f.name = fold(string(id))
		}
		in := slices.ContainsFunc(rooms, func(room wire.RoomID) bool { return slices.Contains(membersAt(c.rooms[room], v), id) })
		if in && f.c != unfit {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if a.c != b.c {
			return int(a.c) - int(b.c)
		}
		return strings.Compare(a.name+"\x00"+string(a.id), b.name+"\x00"+string(b.id))
	})
	for _, f := range all {
		ids = append(ids, f.id)
	}
	return ids
}

func (c *core) checkShared(asker, target wire.UserID, got bool, from wire.Seq) error {
	moments := c.moments(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	some, always := false, true
	for _, v := range moments {
		now := false
		for _, list := range c.rooms {
			members := membersAt(list, v)
			now = now || slices.Contains(members, asker) && slices.Contains(members, target)
		}
		always = always && now
	}
	for _, list := range c.rooms {
		a, b := false, false
		for _, v := range moments {
			members := membersAt(list, v)
			a, b = a || slices.Contains(members, asker), b || slices.Contains(members, target)
		}
		some = some || a && b
	}
	if got && !some || !got && always {
		return fmt.Errorf("%s and %s share a room: %v, since %d", asker, target, got, from)
	}
	return nil
}

// world is a random life of Rosters.
type world struct {
	t      *testing.T
	s      *Rosters
	c      *core
	rng    *rand.Rand
	resets atomic.Int32
	wg     sync.WaitGroup
}

func (w *world) room() wire.RoomID { return wire.RoomID(fmt.Sprint("r", w.rng.IntN(4))) }
func (w *world) user() wire.UserID { return wire.UserID(fmt.Sprint("U", w.rng.IntN(24))) }

func (w *world) title() string {
	return []string{"", "José Ø", "Anna Smith", "anna", "Smith Anna", "u1", "Åse U2", "İrem"}[w.rng.IntN(8)]
}

func (w *world) prefix() string {
	return []string{"", "a", "jose", "smi", "SMITH A", "u1", "U2", "å", "x", "i"}[w.rng.IntN(10)]
}

func (w *world) change() {
	switch w.rng.IntN(4) {
	case 0:
		w.c.name(w.user(), w.title())
	default:
		w.c.member(w.room(), w.user(), w.rng.IntN(3) > 0)
	}
}

// ask asks something, in a goroutine of its own unless it is to be exact.
func (w *world) ask(kind int) {
	var from wire.Seq
	w.c.do(func() { from = w.c.given })
	room, after, limit, resets := w.room(), w.user(), 1+w.rng.IntN(8), w.resets.Load()
	if w.rng.IntN(2) == 0 {
		after = ""
	}
	rooms := []wire.RoomID{room, w.room(), w.room()}[:1+w.rng.IntN(3)]
	prefix, asker, targets := w.prefix(), w.user(), []wire.UserID{w.user(), w.user(), w.user()}
	ctx, cancel := context.WithCancel(context.Background())
	leaves := w.rng.IntN(10) == 0
	if leaves {
		time.AfterFunc(time.Duration(w.rng.IntN(200))*time.Millisecond, cancel)
	}
	w.wg.Go(func() {
		defer cancel()
		var err, wrong error
		switch kind {
		case 0:
			var members []wire.UserID
			var next string
			var count int
			if members, next, count, err = w.s.Page(ctx, room, after, limit); err == nil {
				wrong = w.c.checkPage(room, after, limit, members, next, count, from)
			}
		case 1:
			var found []wire.UserID
			if found, _, err = w.s.Search(ctx, rooms, prefix, wire.MaxPage); err == nil {
				wrong = w.c.checkSearch(rooms, prefix, found, from)
			}
		case 2:
			var shared []bool
			in := func(id wire.RoomID) bool {
				w.c.mu.Lock()
				defer w.c.mu.Unlock()
				return slices.Contains(membersAt(w.c.rooms[id], w.c.fed), asker)
			}
			if shared, err = w.s.Shares(ctx, asker, in, targets); err == nil {
				for i, got := range shared {
					if e := w.c.checkShared(asker, targets[i], got, from); e != nil {
						wrong = e
					}
				}
			}
		default:
			if n, _, ok := w.s.Count(room); ok {
				wrong = w.c.checkCount(room, n, from)
			}
		}
		if wrong == nil && err != nil && !leaves && w.resets.Load() == resets {
			wrong = err
		}
		if wrong != nil {
			w.t.Error(wrong)
		}
	})
}

// seed is a welcome that was read now, and comes later.
func (w *world) seed() {
	id := w.room()
	var v wire.Seq
	var n int
	w.c.do(func() {
		v = wire.Seq(len(w.c.log))
		n = len(membersAt(w.c.rooms[id], v))
	})
	resets := w.resets.Load()
	w.wg.Go(func() {
		w.c.sleep(context.Background())
		if w.resets.Load() == resets {
			w.s.Seed(id, n, v)
		}
	})
}

func (w *world) reset() {
	w.resets.Add(1)
	w.c.mu.Lock()
	given := w.c.given
	w.c.mu.Unlock()
	w.s.Reset()
	w.s.Upto(given)
}

// Whatever the order of changes, answers, markers, evictions and questions, an
// answer is what the core had at a moment no older than what had come before the
// question; and when all is quiet, what is here is what is there.
func TestNeverOlderThanWhatCame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		budget := rapid.SampledFrom([]int64{0, 4000, 9000, 1 << 20}).Draw(rt, "budget")
		slow := rapid.SampledFrom([]time.Duration{time.Millisecond, 50 * time.Millisecond, 400 * time.Millisecond}).Draw(rt, "slow")
		pages := rapid.IntRange(0, 5).Draw(rt, "pages")
		vague := rapid.Bool().Draw(rt, "vague")
		life{seed, budget, slow, pages, vague}.run(t)
	})
}

// life is one of them, to be lived again.
type life struct {
	seed   uint64
	budget int64
	slow   time.Duration // the most that an answer takes
	pages  int           // the largest page of a roster; 0 = any
	vague  bool          // every marker says that all has moved
}

func (l life) run(t *testing.T) {
	bubble(t, l.budget, l.seed, func(t *testing.T, s *Rosters, c *core) {
		w := &world{t: t, s: s, c: c, rng: rand.New(rand.NewPCG(l.seed, 2))}
		for i := range 24 {
			c.name(wire.UserID(fmt.Sprint("U", i)), w.title())
		}
		for i := range 4 {
			c.member(wire.RoomID(fmt.Sprint("r", i)), w.user(), true)
		}
		for range 40 {
			w.change()
		}
		c.do(func() { c.slow, c.pages, c.vague = l.slow, l.pages, l.vague })
		for range 150 {
			switch n := w.rng.IntN(12); n {
			case 0, 1, 2, 3:
				w.change()
			case 4:
				w.seed()
			case 5:
				if w.rng.IntN(20) == 0 {
					w.reset()
				}
			default:
				w.ask(n % 4)
			}
			time.Sleep(time.Duration(w.rng.IntN(20)) * time.Millisecond)
		}
		w.wg.Wait()
		c.do(func() { c.slow = 0 })
		time.Sleep(10 * time.Second)
		for range 20 {
			w.seed()
			w.wg.Wait()
			time.Sleep(time.Second)
			for kind := range 4 {
				w.ask(kind)
			}
			w.wg.Wait()
		}
		w.quiet(l.budget)
		if t.Failed() {
			t.Logf("%#v", l)
		}
	})
}

// quiet checks what must be left when nothing is under way.
func (w *world) quiet(budget int64) {
	time.Sleep(10 * time.Second)
	synctest.Wait()
	if n := w.s.Bytes(); n > budget {
		w.t.Errorf("%d bytes are taken, the budget is %d", n, budget)
	}
	if budget == 0 && w.c.interests() != 0 {
		w.t.Errorf("%d interests are held without a room", w.c.interests())
	}
	w.s.Reset()
	if n := w.c.interests(); n != 0 || w.s.Bytes() != 0 {
		w.t.Errorf("%d interests and %d bytes are left", n, w.s.Bytes())
	}
}
