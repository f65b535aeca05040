package fanout

import (
	"bytes"
	"testing"
)

func TestPayloadsAreFoundWhole(t *testing.T) {
	for _, size := range []int{stampSize + 1, 128, 1024} {
		p := newPayloads(size)
		want := stamp{round: 7, n: 12, at: 1 << 62}
		text := p.text(want)
		if len(text) != size {
			t.Fatalf("a payload of %d bytes, %d were wanted", len(text), size)
		}
		around := append(append([]byte("\xa4data\xda"), text...), "more"...)
		got, ok, err := p.find(around)
		if err != nil || !ok || got != want {
			t.Errorf("%d bytes: %+v, %t, %v", size, got, ok, err)
		}
		for n := range size {
			if _, ok, err := p.find(text[:n]); ok && err == nil {
				t.Fatalf("%d of %d bytes pass for a whole payload", n, size)
			}
		}
		for i := range size {
			bad := bytes.Clone(text)
			bad[i] ^= 0x80
			if _, ok, err := p.find(bad); ok && err == nil {
				t.Fatalf("with byte %d damaged it passes for whole", i)
			}
		}
	}
	if _, ok, err := newPayloads(1024).find([]byte("a cursor")); ok || err != nil {
		t.Errorf("something else: %t, %v", ok, err)
	}
}

func FuzzFind(f *testing.F) {
	p := newPayloads(200)
	f.Add(p.text(stamp{1, 2, 3}))
	f.Add([]byte(mark))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok, err := p.find(b)
		if ok && err == nil && !bytes.Contains(b, p.text(s)) {
			t.Errorf("%+v is not in %q", s, b)
		}
	})
}
