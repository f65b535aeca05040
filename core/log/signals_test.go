package log_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// heard are the signals that a store was told.
type heard struct {
	mu  sync.Mutex
	all []wire.Signal
}

func (h *heard) add(s *wire.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, *s)
}

func (h *heard) take() []wire.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.all
	h.all = nil
	return out
}

// A signal at one of three cores comes to the other two, once, also after a core has
// opened its session again; and not back.
func TestSignalsReachTheOtherCores(t *testing.T) {
	t.Parallel()
	url := startNATS(t, t.TempDir())
	var stores []*corelog.Store
	ears := make([]heard, 3)
	for i := range ears {
		cfg := external(t.TempDir(), url)
		cfg.Logs = 1
		s := open(t, cfg)
		s.Signals(ears[i].add)
		stores = append(stores, s)
	}
	sig := wire.Signal{T: wire.TSignal, Ch: "room:a", From: "u1", Data: wire.Data{0xa1, 'x'}}
	last := wire.Signal{T: wire.TSignal, Ch: "room:b", From: "u2", Data: wire.Data{0xa1, 'y'}}
	check := func(from int) {
		t.Helper()
		for _, s := range []*wire.Signal{&sig, &last} {
			if err := stores[from].Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		for i := range ears {
			if i == from {
				continue
			}
			var got []wire.Signal
			eventually(t, "both signals came", func() bool {
				got = append(got, ears[i].take()...)
				return len(got) >= 2
			})
			if diff := cmp.Diff([]wire.Signal{sig, last}, got); diff != "" {
				t.Errorf("core %d, of what core %d was told (-sent +got):\n%s", i, from, diff)
			}
		}
		if back := ears[from].take(); len(back) > 0 {
			t.Errorf("core %d hears its own: %v", from, back)
		}
	}
	check(0)
	check(1)
	old := corelog.Session(stores[0])
	if _, err := corelog.Break(stores[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has another session", func() bool {
		now := corelog.Session(stores[0])
		return now != nil && now != old
	})
	check(0)
	check(2)
}

// A core by itself has nobody to tell.
func TestSignalsOfOneCore(t *testing.T) {
	t.Parallel()
	s := open(t, config(t.TempDir()))
	s.Signals(func(sig *wire.Signal) { t.Errorf("it hears %v", sig) })
	if err := s.Signal(&wire.Signal{Ch: "room:a"}); err != nil {
		t.Error(err)
	}
}
