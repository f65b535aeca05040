package link_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// span is a time in which a key was held: the log's positions (from, to].
type span struct{ from, to wire.Seq }

// modelEdge follows one log over many links as an edge does: it resumes from
// the last position that it has had, with the interests that it holds.
type modelEdge struct {
	t    *rapid.T
	src  *linktest.Memory
	srv  *server
	link *downstream
	tls  *tls.Config
	tb   *testing.T

	id   uint64
	held map[wire.Key]wire.Seq // since which position
	past map[wire.Key][]span
	pos  wire.Seq // everything held up to here was received
	got  []wire.Seq
}

func (e *modelEdge) connect() {
	var err error
	if e.link, err = (dialer{pc: udp(e.tb), name: "e", tls: e.tls}).dial(e.tb, e.srv.addr); err != nil {
		e.t.Fatal(err)
	}
	keys := make([]wire.Key, 0, len(e.held))
	for k := range e.held {
		keys = append(keys, k)
	}
	e.link.open(0, e.pos, keys...)
}

// change sends a delta and takes what comes before its marker.
func (e *modelEdge) change(add, del []wire.Key) {
	e.id++
	m, before := e.link.change(0, e.id, add, del, link.Live)
	for _, r := range before {
		if r.Kind == tail.Watermark {
			continue
		}
		e.got = append(e.got, seqOf(e.tb, r))
	}
	e.pos = m.Seq
	for _, k := range del {
		if from, ok := e.held[k]; ok {
			e.past[k] = append(e.past[k], span{from, m.Seq})
			delete(e.held, k)
		}
	}
	for _, k := range add {
		if _, ok := e.held[k]; !ok {
			e.held[k] = m.Seq
		}
	}
}

// sync takes everything that was published up to now.
func (e *modelEdge) sync() {
	for e.change(nil, nil); e.pos < e.src.Tail(0).End(); {
		e.change(nil, nil)
	}
}

// Whatever happens to links and interests, each record that met an interest
// while it was held is received exactly once, in order.
func TestModelEveryWantedRecordOnceInOrder(t *testing.T) {
	chs := channels(0, 4)
	id := node(t, identity.RoleEdge, "e").ClientTLS()
	rapid.Check(t, func(rt *rapid.T) {
		src := linktest.NewMemory(2, 1500) // some ten records
		s := serve(t, src, udp(t))
		defer s.stop()
		e := &modelEdge{t: rt, tb: t, src: src, srv: s, tls: id, held: map[wire.Key]wire.Seq{}, past: map[wire.Key][]span{}}
		var log []wire.Key // what was published, by position-1
		defer func() { e.link.stop() }()
		e.connect()
		publish := func(rt *rapid.T) {
			for range rapid.IntRange(1, 30).Draw(rt, "records") {
				ch := rapid.SampledFrom(chs).Draw(rt, "channel")
				src.Publish(ch, 10)
				log = append(log, wire.FramesKey(ch))
			}
			if rapid.Bool().Draw(rt, "watermark") {
				src.Stamp(0)
			}
		}
		some := func(rt *rapid.T, what string) []wire.Key {
			return keysOf(rapid.SliceOfNDistinct(rapid.SampledFrom(chs), 0, 3, rapid.ID).Draw(rt, what)...)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"publish": publish,
			"change": func(rt *rapid.T) {
				add := some(rt, "add")
				del := slices.DeleteFunc(some(rt, "del"), func(k wire.Key) bool { return slices.Contains(add, k) })
				e.change(add, del)
			},
			"receive": func(*rapid.T) { e.sync() },
			"cut": func(rt *rapid.T) {
				if rapid.Bool().Draw(rt, "receive first") {
					e.sync()
				}
				e.link.stop() // whatever was on the way is lost
				e.connect()
			},
			"cut while away": func(rt *rapid.T) {
				e.link.stop()
				publish(rt)
				e.connect()
			},
		})
		e.sync()
		want := []wire.Seq{}
		for i, k := range log {
			seq := wire.Seq(i + 1)
			from, held := e.held[k]
			if held && seq > from || slices.ContainsFunc(e.past[k], func(s span) bool { return seq > s.from && seq <= s.to }) {
				want = append(want, seq)
			}
		}
		if !slices.Equal(e.got, want) && len(e.got)+len(want) > 0 {
			rt.Fatalf("received %s\nwant     %s", fmt.Sprint(e.got), fmt.Sprint(want))
		}
	})
}
