package link_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
)

// A downstream is told where the logs end, also those that it has not opened.
func TestTheEndsAreTold(t *testing.T) {
	src := memory()
	var told atomic.Pointer[[]wire.Seq]
	d := dialer{pc: udp(t), name: "e", ends: func(ends []wire.Seq) {
		ends = slices.Clone(ends)
		told.Store(&ends)
	}}
	if _, err := d.dial(t, serve(t, src, udp(t)).addr); err != nil {
		t.Fatal(err)
	}
	src.Publish(channels(1, 1)[0], 10)
	src.Publish(channels(1, 1)[0], 10)
	eventually(t, "the ends come", func() bool {
		ends := told.Load()
		return ends != nil && slices.Equal(*ends, []wire.Seq{0, 2, 0})
	})
}

// The ends of the most logs that there may be fit.
func TestTheEndsOfManyLogs(t *testing.T) {
	src := linktest.NewMemory(wire.MaxLogs, 1<<20)
	for p := range wire.LogID(wire.MaxLogs) {
		src.Tail(p).Reset(1 << 52)
	}
	var n atomic.Int64
	d := dialer{pc: udp(t), name: "e", ends: func(ends []wire.Seq) { n.Store(int64(len(ends))) }}
	if _, err := d.dial(t, serve(t, src, udp(t)).addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ends come", func() bool { return n.Load() == wire.MaxLogs+1 })
}

// What is sent is told with the downstream's region.
func TestWhatIsSentIsToldByRegion(t *testing.T) {
	src := memory()
	s := serve(t, src, udp(t))
	near, far := dial(t, s, "near"), dial(t, s, "far")
	ch := channels(0, 1)[0]
	near.open(0, 0, keysOf(ch)...)
	far.open(0, link.Live)
	far.change(0, 1, nil, nil, link.Live)
	near.change(0, 1, nil, nil, link.Live)
	src.Publish(ch, 10)
	near.seqs(0, 1)
	for region, want := range map[string]int64{"r-near": 1, "r-far": 0} {
		n, _ := s.sent.LoadOrStore(region, new(atomic.Int64))
		if got := n.(*atomic.Int64).Load(); got != want {
			t.Errorf("%d frames went to %s, want %d", got, region, want)
		}
	}
}
