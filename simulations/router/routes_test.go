package router

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/netsim"
)

// plan has host 1 in namespace 0, and hosts 2 and 3 in namespace 1, with one way everywhere.
func plan(way netsim.Path) Plan {
	return Plan{
		Seed: 1, Spaces: 2, Paths: [][]netsim.Path{{way}},
		Hosts: []Place{{Host: 1, Space: 0}, {Host: 2, Space: 1}, {Host: 3, Space: 1}},
	}
}

// send has packets taken, one a millisecond, and returns the delays of those that arrive, in their
// order, and their marks.
func send(t *testing.T, r *routes, from, to netsim.Host, count int) (delays []time.Duration, marks []byte) {
	t.Helper()
	const begin = int64(time.Hour)
	for i := range count {
		now := begin + int64(i)*int64(time.Millisecond)
		f := r.queue.room()
		p := packet(from, to, 40)
		p[30], p[31] = byte(i>>8), byte(i)
		f.size = copy(f.bytes[:], p)
		r.take(now, f)
	}
	for {
		due := r.queue.next()
		if due == 0 {
			return delays, marks
		}
		if early := r.queue.pop(due - 1); early != nil {
			t.Fatal("a packet arrives before its time")
		}
		f := r.queue.pop(due)
		i := int(f.bytes[30])<<8 | int(f.bytes[31])
		if want := packet(from, to, 40); !bytes.Equal(f.bytes[:30], want[:30]) || f.size != 40 || f.space != r.places[to].Space {
			t.Fatalf("packet %d arrives changed, or elsewhere", i)
		}
		delays, marks = append(delays, time.Duration(due-begin)-time.Duration(i)*time.Millisecond), append(marks, byte(i))
		r.queue.giveUp(f)
	}
}

func TestPacketsAreDelayed(t *testing.T) {
	r, err := newRoutes(plan(netsim.Path{Delay: 7 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	delays, _ := send(t, r, 1, 2, 100)
	if want := slices.Repeat([]time.Duration{7 * time.Millisecond}, 100); !slices.Equal(delays, want) {
		t.Errorf("%v", delays)
	}
	if want := (Counts{Passed: 100}); r.counts != want {
		t.Errorf("%+v", r.counts)
	}
}

// What becomes of real packets is what would become of simulated ones.
func TestFateIsTheNetworks(t *testing.T) {
	way := netsim.Path{Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 0.2}
	r, err := newRoutes(plan(way))
	if err != nil {
		t.Fatal(err)
	}
	delays, marks := send(t, r, 2, 1, 200)
	line := netsim.NewLine(1, 2, 1, way)
	var want []time.Duration
	for i := range 200 {
		now := int64(time.Hour) + int64(i)*int64(time.Millisecond)
		if arrivals, times := line.Next(now); times > 0 {
			want = append(want, time.Duration(arrivals[0]-now))
		}
	}
	if !slices.Equal(delays, want) {
		t.Errorf("%d arrive, and should %d; delays differ", len(delays), len(want))
	}
	if lost := r.counts.Lost; lost < 20 || lost > 60 || lost+r.counts.Passed != 200 {
		t.Errorf("%+v", r.counts)
	}
	if !slices.IsSorted(marks) {
		t.Error("jitter has changed the order")
	}
}

func TestDoubledPacketsComeTwice(t *testing.T) {
	r, err := newRoutes(plan(netsim.Path{Delay: time.Millisecond, Duplicate: 1, ReorderBy: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	if delays, _ := send(t, r, 1, 3, 10); len(delays) != 20 {
		t.Errorf("%d arrive", len(delays))
	}
}

func TestStrangersAreDropped(t *testing.T) {
	r, err := newRoutes(plan(netsim.Path{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{packet(1, 9, 40), packet(9, 1, 40), {1, 2, 3}} {
		f := r.queue.room()
		f.size = copy(f.bytes[:], p)
		r.take(1, f)
	}
	if want := (Counts{Stranger: 3}); r.counts != want || r.queue.next() != 0 {
		t.Errorf("%+v, next at %d", r.counts, r.queue.next())
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	var q queue
	n := 0
	for f := q.room(); f != nil; f = q.room() {
		q.push(f, int64(n+1))
		n++
	}
	if n != most {
		t.Errorf("%d packets found room, and should %d", n, most)
	}
	q.giveUp(q.pop(1))
	if q.room() == nil {
		t.Error("there is no room after one has arrived")
	}
}

// The queue against sorting.
func TestTheQueueIsInOrder(t *testing.T) {
	var q queue
	dice := rand.New(rand.NewPCG(1, 2))
	type both struct{ due, nth int64 }
	var want, got []both
	for i := range 500 {
		f := q.room()
		f.size = i
		due := dice.Int64N(50) + 1
		q.push(f, due)
		want = append(want, both{due, int64(i)})
	}
	slices.SortStableFunc(want, func(a, b both) int { return int(a.due - b.due) })
	for due := int64(1); due <= 50; due++ {
		for f := q.pop(due); f != nil; f = q.pop(due) {
			got = append(got, both{f.due, int64(f.size)})
		}
	}
	if !slices.Equal(got, want) {
		t.Error("packets arrive in another order")
	}
}

func TestPlansAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"0 namespaces":        func(p *Plan) { p.Spaces = 0 },
		"namespace 5 of 2":    func(p *Plan) { p.Hosts[0].Space = 5 },
		"spot 1 of 1":         func(p *Plan) { p.Hosts[0].Spot = 1 },
		"10.0.0.2 is there t": func(p *Plan) { p.Hosts[0].Host = 2 },
		"no square":           func(p *Plan) { p.Paths[0] = nil },
	} {
		p := plan(netsim.Path{})
		change(&p)
		if _, err := newRoutes(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
