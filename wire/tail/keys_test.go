package tail

import (
	"slices"
	"testing"

	"selvedge/wire"
)

func TestKeysOfWhatFollows(t *testing.T) {
	tl := New(1000, 7) // holds ten frames of 100 bytes
	if got, whole := tl.Keys(nil, 7); len(got) > 0 || !whole {
		t.Errorf("of an empty tail: %v, %v", got, whole)
	}
	if _, whole := tl.Keys(nil, 6); whole {
		t.Error("an empty tail holds what was before it")
	}
	tl.Append(frame(8), Record{Seq: 9, Kind: State, Keys: [2]wire.Key{90, 91}}, mark(9), Record{Seq: 10, Kind: State, Keys: [2]wire.Key{0, 90}}, mark(10))
	for after, want := range map[wire.Seq][]wire.Key{7: {8, 90, 91, 90}, 8: {90, 91, 90}, 9: {90}, 10: nil, 99: nil} {
		if got, whole := tl.Keys(nil, after); !slices.Equal(got, want) || !whole {
			t.Errorf("after %d: %v, %v; want %v", after, got, whole, want)
		}
	}
	for s := wire.Seq(11); s <= 40; s++ {
		tl.Append(frame(s))
	}
	if got, whole := tl.Keys([]wire.Key{1}, tl.Base()-1); !slices.Equal(got, []wire.Key{1}) || whole {
		t.Errorf("below the base: %v, %v", got, whole)
	}
	if got, whole := tl.Keys(nil, tl.Base()); len(got) != int(40-tl.Base()) || !whole {
		t.Errorf("after the base %d: %v, %v", tl.Base(), got, whole)
	}
}
