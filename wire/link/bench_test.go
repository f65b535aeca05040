package link_test

import (
	"testing"

	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
)

// One record of 1 KiB from a source to a receiver, over loopback.
func BenchmarkRecord(b *testing.B) {
	src := linktest.NewMemory(2, 64<<20)
	d := dial(b, serve(b, src, udp(b)), "e")
	ch := channels(0, 1)[0]
	d.open(0, 0, keysOf(ch)...)
	b.SetBytes(1024)
	b.ReportAllocs()
	for sent, got := 0, 0; b.Loop(); {
		src.Publish(ch, 1000)
		for sent++; sent-got > 1000; {
			got += len(d.event(0).records)
		}
	}
}

// A delta and its marker: one round trip.
func BenchmarkInterest(b *testing.B) {
	d := dial(b, serve(b, memory(), udp(b)), "e")
	d.open(0, 0)
	keys := keysOf(channels(0, 4)...)
	b.ReportAllocs()
	for id := uint64(1); b.Loop(); id++ {
		d.change(0, id, keys, keys, link.Live)
	}
}
