package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corelog "selvedge/core/log"
	"selvedge/simulations/netsim"
	"selvedge/wire"
)

const ch = wire.Channel("room:a")

// rig is three cores, 20 ms from each other.
type rig struct {
	*Cluster
	t      *testing.T
	net    *netsim.Network
	stores []*Store
}

func run(t *testing.T, seed uint64, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: seed, Path: func(_, _ netsim.Host) netsim.Path { return netsim.Path{Delay: 20 * time.Millisecond} }})
		r := &rig{t: t, net: n, Cluster: New(Config{Net: n, Hosts: []netsim.Host{1, 2, 3}, Logs: 2, Seed: seed})}
		defer n.Close()
		defer r.Close()
		for i := range 3 {
			r.stores = append(r.stores, r.open(i))
		}
		test(t, r)
		for _, s := range r.stores {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func (r *rig) open(i int) *Store {
	r.t.Helper()
	s, err := r.Open(r.t.Context(), i)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func post(n int) *wire.Post {
	return &wire.Post{Ch: ch, TS: 1, MsgID: fmt.Sprint(n), Data: wire.Data{byte(n)}}
}

// has reads the channel at a core: the numbers of its posts, in order.
func (r *rig) has(i int) (out []int) {
	r.t.Helper()
	all, _, err := r.stores[i].ReadChannel(r.t.Context(), ch, 0, 0, 1000, 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.numbers(all)
}

func (r *rig) numbers(all []corelog.Stored) (out []int) {
	for _, s := range all {
		p, err := wire.ParseBody(s.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, int(p.Data[0]))
	}
	return out
}

// What one core acknowledged, each reads at once, however far its copy is; the
// followers get it in order, once.
func TestAcknowledgedIsReadEverywhere(t *testing.T) {
	for seed := range uint64(5) {
		run(t, seed, func(t *testing.T, r *rig) {
			p := wire.LogOf(ch, 2)
			ctx, cancel := context.WithCancel(t.Context())
			got := make([][]int, 3)
			ended := make(chan error, 3)
			for i, s := range r.stores {
				go func() {
					ended <- s.Follow(ctx, p, 0, func(all []corelog.Stored) error {
						got[i] = append(got[i], r.numbers(all)...)
						return nil
					})
				}()
			}
			var want []int
			behind := false
			for n := range 60 {
				placed, err := r.stores[n%3].Publish(t.Context(), "k", post(n))
				if err != nil || placed.P != p || int(placed.Seq) != n+1 || placed.Duplicate {
					t.Fatalf("post %d: %+v, %v", n, placed, err)
				}
				want = append(want, n)
				for i := range 3 {
					r.mu.Lock()
					behind = behind || int(r.logs[p].has[i]) <= n
					r.mu.Unlock()
					if all := r.has(i); !slices.Equal(all, want) {
						t.Fatalf("core %d has %v after %d", i, all, n)
					}
				}
				<-time.After(100 * time.Millisecond)
			}
			if !behind {
				t.Error("no copy was ever behind: this proves nothing")
			}
			<-time.After(5 * time.Second)
			cancel()
			for range 3 {
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
			for i := range got {
				if !slices.Equal(got[i], want) {
					t.Errorf("core %d was told %v", i, got[i])
				}
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		first, err := r.stores[0].Publish(t.Context(), "k", post(1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.stores[1].Publish(t.Context(), "k", post(1))
		if first.Duplicate = true; err != nil || again != first {
			t.Errorf("again: %+v, %v; want %+v", again, err, first)
		}
		other := post(1)
		other.Data = wire.Data{9}
		if _, err := r.stores[1].Publish(t.Context(), "k", other); !errors.Is(err, corelog.ErrIDReused) {
			t.Errorf("other content: %v", err)
		}
		if p, err := r.stores[1].Publish(t.Context(), "another", post(1)); err != nil || p.Duplicate {
			t.Errorf("another publisher: %+v, %v", p, err)
		}
	})
}

func TestStateIsAppendedOnCondition(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		record := wire.StateRecord{Kind: wire.StateRoom, Room: "a", Data: wire.Data{0x80}}
		put := func(core int, expect wire.Seq) corelog.StateResult {
			return r.stores[core].AppendState(t.Context(), []corelog.StateAppend{{Record: record, Expect: expect}})[0]
		}
		if got := put(0, 0); got.Err != nil || got.Seq != 1 {
			t.Fatalf("the first: %+v", got)
		}
		if got := put(1, 0); !errors.Is(got.Err, corelog.ErrConflict) {
			t.Errorf("a second first: %+v", got)
		}
		if got := put(2, 1); got.Err != nil || got.Seq != 2 {
			t.Errorf("the next: %+v", got)
		}
		all, err := r.stores[1].Read(t.Context(), wire.StateLog, 0, 1<<20)
		if err != nil || len(all) != 2 || all[1].State.V != 2 {
			t.Errorf("the log has %+v, %v", all, err)
		}
	})
}

// A core that is cut from the others neither appends nor says where the log ends;
// the others go on, with another leader if it led. What was under way may be in
// the log, once.
func TestMinority(t *testing.T) {
	for seed := range uint64(6) { // each core leads in one of them
		run(t, seed, func(t *testing.T, r *rig) {
			p := wire.LogOf(ch, 2)
			cut := int(seed % 3)
			r.net.Inject(netsim.Fault{At: time.Second, For: 20 * time.Second, Hosts: []netsim.Host{netsim.Host(cut + 1)}, Cut: true})
			<-time.After(2 * time.Second)
			if _, err := r.stores[cut].Publish(t.Context(), "k", post(1)); !errors.Is(err, corelog.ErrUnavailable) {
				t.Errorf("a publish of the minority: %v", err)
			}
			if _, err := r.stores[cut].Latest(t.Context(), p); !errors.Is(err, corelog.ErrUnavailable) {
				t.Errorf("the minority says where the log ends: %v", err)
			}
			if _, err := r.stores[(cut+1)%3].Publish(t.Context(), "k", post(2)); err != nil {
				t.Errorf("a publish of the majority: %v", err)
			}
			if r.Leader(p) == cut {
				t.Error("the one that is cut off leads")
			}
			<-time.After(20 * time.Second)
			if all := r.has(cut); !slices.Equal(all, []int{2}) {
				t.Errorf("afterwards it has %v", all)
			}
		})
	}
}

// An append whose answer is lost has an unknown outcome, and is in the log.
func TestLostAnswer(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		from := 2 // neither the leader nor the second one, which is the first of the others
		if r.Leader(wire.LogOf(ch, 2)) == from {
			from = 1
		}
		// To the leader, to the second one and back: then the answer sets out.
		r.net.Inject(netsim.Fault{At: r.net.Since() + 59*time.Millisecond, For: 10 * time.Second, Hosts: []netsim.Host{netsim.Host(from + 1)}, Cut: true})
		if _, err := r.stores[from].Publish(t.Context(), "k", post(1)); !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("without an answer: %v", err)
		}
		<-time.After(10 * time.Second)
		if all := r.has(from); !slices.Equal(all, []int{1}) {
			t.Errorf("the log has %v", all)
		}
	})
}

// A restart finds what was acknowledged; a power loss of all takes the end of it.
func TestRestartAndPowerLoss(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		for n := range 10 {
			if _, err := r.stores[0].Publish(t.Context(), "k", post(n)); err != nil {
				t.Fatal(err)
			}
		}
		for v := range wire.Seq(3) {
			rec := wire.StateRecord{Kind: wire.StateUser, User: "u"}
			if res := r.stores[1].AppendState(t.Context(), []corelog.StateAppend{{Record: rec, Expect: v}}); res[0].Err != nil {
				t.Fatal(res[0].Err)
			}
		}
		was := r.stores[0].Epoch()
		if err := r.stores[0].Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.stores[0].Publish(t.Context(), "k", post(11)); !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("closed: %v", err)
		}
		r.stores[0] = r.open(0)
		if all := r.has(0); len(all) != 10 || r.stores[0].Epoch() != was || r.stores[0].End(wire.LogOf(ch, 2)) != 10 {
			t.Errorf("after a restart it has %v, in epoch %s", all, r.stores[0].Epoch())
		}
		r.PowerLoss(4, 2)
		for i := range r.stores {
			r.stores[i] = r.open(i)
			if all := r.has(i); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5}) || r.stores[i].Epoch() == was {
				t.Errorf("after a power loss core %d has %v, in epoch %s", i, all, r.stores[i].Epoch())
			}
			if end := r.stores[i].End(wire.StateLog); end != 1 {
				t.Errorf("after a power loss the state log of core %d ends at %d", i, end)
			}
		}
		if p, err := r.stores[1].Publish(t.Context(), "k", post(9)); err != nil || p.Duplicate || p.Seq != 7 {
			t.Errorf("what was lost is published again: %+v, %v", p, err)
		}
	})
}

// Pages are as core/log gives them.
func TestPages(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		for n := range 9 {
			if _, err := r.stores[0].Publish(t.Context(), "k", post(n)); err != nil {
				t.Fatal(err)
			}
		}
		s := r.stores[1]
		size := len(wire.AppendBody(nil, post(1)))
		for _, c := range []struct {
			what string
			read func() ([]corelog.Stored, bool, error)
			want []int
			more bool
		}{
			{"the newest", func() ([]corelog.Stored, bool, error) { return s.ReadBefore(t.Context(), ch, 0, 2, 1<<20) }, []int{7, 8}, true},
			{"older ones", func() ([]corelog.Stored, bool, error) { return s.ReadBefore(t.Context(), ch, 3, 5, 1<<20) }, []int{0, 1}, false},
			{"before the first", func() ([]corelog.Stored, bool, error) { return s.ReadBefore(t.Context(), ch, 1, 5, 1<<20) }, nil, false},
			{"a range", func() ([]corelog.Stored, bool, error) { return s.ReadChannel(t.Context(), ch, 2, 5, 9, 1<<20) }, []int{2, 3, 4}, false},
			{"some of it", func() ([]corelog.Stored, bool, error) { return s.ReadChannel(t.Context(), ch, 2, 0, 2, 1<<20) }, []int{2, 3}, true},
			{"few bytes", func() ([]corelog.Stored, bool, error) { return s.ReadChannel(t.Context(), ch, 2, 0, 9, 2*size) }, []int{2, 3}, true},
			{"no bytes", func() ([]corelog.Stored, bool, error) { return s.ReadChannel(t.Context(), ch, 2, 0, 9, 1) }, []int{2}, true},
		} {
			all, more, err := c.read()
			if got := r.numbers(all); err != nil || more != c.more || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, more %v, %v; want %v, %v", c.what, got, more, err, c.want, c.more)
			}
		}
		at, err := s.ReadAt(t.Context(), wire.LogOf(ch, 2), []wire.Seq{3, 0, 99, 1})
		if got := r.numbers(at); err != nil || !slices.Equal(got, []int{2, 0}) {
			t.Errorf("at positions: %v, %v", got, err)
		}
	})
}
