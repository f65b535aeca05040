package cache

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selvedge/wire"
)

const modelLogs = 2

// truth is a frame log as the core has it.
type truth struct {
	frames  []*Frame
	end     wire.Seq
	trimmed wire.Seq // frames up to it are gone
}

// between are the frames of ch in (after, upto] that ever were.
func (l *truth) between(ch wire.Channel, after, upto wire.Seq) []*Frame {
	var out []*Frame
	for _, f := range l.frames {
		if f.Ch == ch && f.Seq > after && f.Seq <= upto {
			out = append(out, f)
		}
	}
	return out
}

// model drives a cache as a link, a filler and readers do, beside the truth.
type model struct {
	c     *Cache
	logs  [modelLogs]truth
	names []wire.Channel
	ch    map[wire.Channel]*Channel
	refs  map[wire.Channel]int
	since map[wire.Channel]wire.Seq // asked for and not live yet
	fills []flying
}

// flying is a fill on its way.
type flying struct {
	ch *Channel
	f  *wire.Fill
}

func (m *model) publish(t *rapid.T) {
	name := rapid.SampledFrom(m.names).Draw(t, "ch")
	p := wire.LogOf(name, modelLogs)
	l := &m.logs[p]
	prev := l.trimmed
	if fs := l.between(name, 0, l.end); len(fs) > 0 {
		prev = max(prev, fs[len(fs)-1].Seq)
	}
	l.end += wire.Seq(rapid.IntRange(1, 2).Draw(t, "step"))
	size := rapid.IntRange(0, 300).Draw(t, "size")
	f := frameOf(t, name, p, l.end, prev, size)
	l.frames = append(l.frames, f)
}

// deliver brings what the link has for us, some of it once more, and answers
// what was asked for with a marker.
func (m *model) deliver(t *rapid.T) {
	p := wire.LogID(rapid.IntRange(0, modelLogs-1).Draw(t, "p"))
	l, log := &m.logs[p], m.c.Log(p)
	pos := log.Pos()
	upto := min(l.end, pos+wire.Seq(rapid.IntRange(0, 5).Draw(t, "n")))
	from := pos - min(pos, wire.Seq(rapid.IntRange(0, 3).Draw(t, "again")))
	var frames []*Frame
	for _, f := range l.frames {
		if ch := m.ch[f.Ch]; f.Seq > from && f.Seq <= upto && ch != nil {
			if _, live := ch.Floor(); live {
				again, err := ParseFrame(f.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				frames = append(frames, again)
			}
		}
	}
	want := 0
	for _, f := range frames {
		if f.Seq > pos {
			want++
		}
	}
	out := log.Append(frames, upto)
	if len(out) != want {
		t.Fatalf("Append at %d returned %v, %d are new", pos, seqs(out), want)
	}
	for _, f := range out {
		if f.Hole || f.Channel != m.ch[f.Ch] {
			t.Fatalf("frame %d: hole %v, channel %p; want none and %p", f.Seq, f.Hole, f.Channel, m.ch[f.Ch])
		}
	}
	for name, since := range m.since {
		if wire.LogOf(name, modelLogs) != p {
			continue
		}
		floor := since
		if len(l.between(name, since, upto)) > 0 {
			floor = max(upto, since)
		}
		m.ch[name].SetLive(floor)
		log.Append(nil, upto)
		delete(m.since, name)
	}
}

func (m *model) acquire(t *rapid.T) {
	name := rapid.SampledFrom(m.names).Draw(t, "ch")
	ch, first := m.c.Acquire(name)
	if first != (m.refs[name] == 0) {
		t.Fatalf("first = %v with %d holders", first, m.refs[name])
	}
	m.refs[name]++
	if m.ch[name] = ch; first {
		pos := int(ch.log.Pos())
		m.since[name] = wire.Seq(rapid.IntRange(0, pos+3).Draw(t, "since")) // +3: another edge was ahead
	}
}

func (m *model) release(t *rapid.T) {
	name := rapid.SampledFrom(m.names).Draw(t, "ch")
	if m.refs[name] == 0 {
		return
	}
	m.refs[name]--
	if last := m.c.Release(m.ch[name]); last != (m.refs[name] == 0) {
		t.Fatalf("last = %v with %d holders left", last, m.refs[name])
	}
	if m.refs[name] == 0 {
		delete(m.ch, name)
		delete(m.since, name)
	}
}

// ask sends a fill off as the core answers it: the newest frames there are, or
// the oldest ones.
func (m *model) ask(t *rapid.T) {
	ch := m.ch[rapid.SampledFrom(m.names).Draw(t, "ch")]
	if ch == nil {
		return
	}
	floor, live := ch.Floor()
	if !live || floor == 0 {
		return
	}
	l := &m.logs[ch.P]
	after := wire.Seq(rapid.IntRange(0, int(floor)-1).Draw(t, "after"))
	if back := ch.heldLocked().back; back.has(after) && rapid.Bool().Draw(t, "on") {
		after = back.upto // as a reader does that has come to its end
	}
	f := &wire.Fill{Ch: ch.Name, Floor: after, Upto: floor}
	if l.trimmed > after {
		f.Floor, f.Gone = l.trimmed, l.trimmed
	}
	frames := l.between(ch.Name, f.Floor, floor)
	most := rapid.IntRange(0, 4).Draw(t, "most")
	switch cut := len(frames) - most; {
	case cut <= 0:
	case rapid.Bool().Draw(t, "oldest"):
		f.Upto, f.More = f.Floor, true
		if frames = frames[:most]; most > 0 {
			f.Upto = frames[most-1].Seq
		}
	default:
		f.Floor, f.Gone = frames[cut-1].Seq, 0
		frames = frames[cut:]
	}
	for _, fr := range frames {
		f.Frames = append(f.Frames, wire.Data(fr.Bytes))
	}
	m.fills = append(m.fills, flying{ch, f})
}

// land brings any fill, in any order.
func (m *model) land(t *rapid.T) {
	if len(m.fills) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.fills)-1).Draw(t, "fill")
	fl := m.fills[i]
	m.fills = slices.Delete(m.fills, i, i+1)
	if rapid.Bool().Draw(t, "next") {
		m.c.NextFills()
		m.c.NextFills()
	}
	before, floor := fl.ch.heldLocked(), fl.ch.floor.Load()
	done, err := fl.ch.Fill(fl.f)
	if err != nil {
		t.Fatal(err)
	}
	h := fl.ch.heldLocked()
	if !done.Moved && (fl.ch.floor.Load() < floor || h.back.upto > before.back.upto || h.lost > before.lost) {
		t.Fatalf("nothing moved, but from %+v above %d to %+v above %d", before, floor, h, fl.ch.floor.Load())
	}
}

// trim is a core whose log lost its head beyond what the link had brought.
func (m *model) trim(t *rapid.T) {
	p := wire.LogID(rapid.IntRange(0, modelLogs-1).Draw(t, "p"))
	l := &m.logs[p]
	l.trimmed = min(l.end, l.trimmed+wire.Seq(rapid.IntRange(0, 3).Draw(t, "more")))
	if pos := m.c.Log(p).Pos(); l.trimmed > pos {
		var lost []wire.Key
		for _, name := range m.names {
			if len(l.between(name, pos, l.trimmed)) > 0 || rapid.IntRange(0, 4).Draw(t, "twin") == 0 {
				lost = append(lost, wire.FramesKey(name))
			}
		}
		m.c.Log(p).Gap(l.trimmed, lost)
	}
}

func (m *model) restart(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
		return
	}
	p := wire.LogID(rapid.IntRange(0, modelLogs-1).Draw(t, "p"))
	m.logs[p] = truth{}
	m.c.Log(p).Start(0)
	m.fills = slices.DeleteFunc(m.fills, func(f flying) bool { return f.ch.P == p })
	for name := range m.ch {
		if wire.LogOf(name, modelLogs) == p {
			m.since[name] = 0
		}
	}
}

func (m *model) read(t *rapid.T) {
	ch := m.ch[rapid.SampledFrom(m.names).Draw(t, "ch")]
	if ch == nil {
		return
	}
	l, pos := &m.logs[ch.P], ch.log.Pos()
	after := wire.Seq(rapid.IntRange(0, int(pos)).Draw(t, "after"))
	upto := wire.Seq(rapid.IntRange(int(after), int(pos)).Draw(t, "upto"))
	got, a, at := ch.Read(nil, after, upto, rapid.IntRange(0, 1000).Draw(t, "limit"))
	floor, live := ch.Floor()
	if _, lacks := ch.Lacks(after); lacks != (live && a == Missing) {
		t.Fatalf("it lacks what is after %d: %v, but a read answers %d", after, lacks, a)
	}
	switch a {
	case Complete, Partial:
		if at > upto || a == Complete && at != upto || a == Partial && (at <= after || at == upto) {
			t.Fatalf("(%d, %d] is read up to %d, answer %d", after, upto, at, a)
		}
		if diff := cmp.Diff(seqs(l.between(ch.Name, after, at)), seqs(got)); diff != "" {
			t.Fatalf("(%d, %d] is read up to %d, but:\n%s", after, upto, at, diff)
		}
	case Missing:
		if live && after >= floor || len(got) > 0 || at != after {
			t.Fatalf("(%d, %d] is missing, but the range above %d is held", after, upto, floor)
		}
	case Gone:
		if at <= after || at > l.trimmed || len(got) > 0 {
			t.Fatalf("(%d, %d] is gone up to %d, the core has what is after %d", after, upto, at, l.trimmed)
		}
	}
}

// check looks inside: ranges are whole, and the bytes are what is held.
func (m *model) check(t *rapid.T) {
	var all int64
	for p, l := range m.c.logs {
		var sum int64
		frames := 0
		for ch := range l.channels.all() {
			name := ch.Name
			floor, live := ch.Floor()
			var want []wire.Seq
			back := ch.heldLocked().back
			if live {
				want = append(seqs(m.logs[p].between(name, back.floor, back.upto)), seqs(m.logs[p].between(name, floor, l.pos))...)
				if back != (span{}) && (back.floor >= back.upto || back.upto >= floor) {
					t.Fatalf("%s holds %+v before what is above %d", name, back, floor)
				}
			}
			if diff := cmp.Diff(append([]wire.Seq{}, want...), seqs(ch.frames())); diff != "" {
				t.Fatalf("%s, live %v in (%d, %d]:\n%s", name, live, floor, l.pos, diff)
			}
			for _, f := range ch.frames() {
				sum += int64(f.size())
			}
			frames += len(ch.frames())
		}
		if sum != l.bytes.Load() || frames != l.frames {
			t.Fatalf("log %d counts %d bytes in %d frames, it holds %d in %d", p, l.bytes.Load(), l.frames, sum, frames)
		}
		all += sum
	}
	fresh := m.fresh()
	if m.c.Bytes() != all || all > m.c.budget+fresh {
		t.Fatalf("the cache counts %d bytes, it holds %d, its budget is %d, %d were filled just now", m.c.Bytes(), all, m.c.budget, fresh)
	}
}

// fresh are the bytes that may be kept over the budget: of channels that were
// filled a moment ago, which lose their oldest frames first, or none.
func (m *model) fresh() (n int64) {
	seen := map[*Channel]bool{}
	for _, l := range m.c.logs {
		for _, e := range l.held[l.head:] {
			if e.stale() || !l.fresh(e, m.c.round.Load()) || seen[e.ch] {
				continue
			}
			seen[e.ch] = true
			for _, f := range e.ch.frames() {
				n += int64(f.size())
			}
		}
	}
	return n
}

// Whatever comes in whatever order: a range is never broken in silence, what is
// gone is really gone, and the budget holds.
func TestCacheAgainstTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			c:     New(modelLogs, int64(rapid.SampledFrom([]int{600, 3000, 9000, 1 << 20}).Draw(t, "budget"))),
			ch:    map[wire.Channel]*Channel{},
			refs:  map[wire.Channel]int{},
			since: map[wire.Channel]wire.Seq{},
		}
		for p := range modelLogs {
			for i := range 3 {
				m.names = append(m.names, inLog(wire.LogID(p), modelLogs, i))
			}
		}
		for range 2 * len(m.names) {
			m.acquire(t)
		}
		act := []func(*rapid.T){
			m.publish, m.publish, m.publish, m.deliver, m.deliver, m.acquire, m.release,
			m.ask, m.ask, m.land, m.land, m.trim, m.restart, m.read, m.read, m.read,
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			rapid.SampledFrom(act).Draw(t, "act")(t)
			m.check(t)
		}
		for name := range m.ch {
			for m.refs[name] > 0 {
				m.refs[name]--
				m.c.Release(m.ch[name])
			}
		}
		if m.c.Bytes() != 0 {
			t.Fatalf("%d bytes are held for nobody", m.c.Bytes())
		}
	})
}
