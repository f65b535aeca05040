package load

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// wait bounds every wait of these tests; none comes near it.
const wait = 30 * time.Second

const testSockets = 50

// testLoad is a floor that leaves out every lose-th write, and processes of
// clients that are connected to it.
func testLoad(t *testing.T, processes int, lose string) (*Clients, *Floor) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := StartFloor(t.Context(), binary, 500, "floor", lose)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	c, err := Spawn(binary, processes, "clients", "2")
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	g := Group{Name: "g", URLs: []string{f.URL}, User: "u", Sockets: testSockets, InFlight: 7}
	if err := c.Sign(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	done, err := c.Connect(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Times) != testSockets || len(done.At) != testSockets || done.Took <= 0 || done.Welcome != 500 {
		t.Fatalf("connected: %d times, %v, a welcome of %d bytes", len(done.Times), done.Took, done.Welcome)
	}
	return c, f
}

// send has the floor write what it prepared to all.
func send(t *testing.T, c *Clients, f *Floor, size, frames, batch int) (start int64) {
	t.Helper()
	if err := f.Prepare(t.Context(), Texts{Seed: 1, Size: size}, string(testChannel), 0, frames); err != nil {
		t.Fatal(err)
	}
	if err := c.Expect(t.Context(), "g", testSockets, frames); err != nil {
		t.Fatal(err)
	}
	start, _, err := f.Write(t.Context(), 0, frames, batch)
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// until waits until the stats are as wanted.
func until(t *testing.T, c *Clients, wanted func(s Stats) bool) Stats {
	t.Helper()
	for deadline := time.Now().Add(wait); ; {
		s, err := c.Stats(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		if wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", s)
		}
	}
}

func TestEverySocketGetsEverything(t *testing.T) {
	for _, processes := range []int{1, 3} {
		c, f := testLoad(t, processes, "0")
		// Large ones come in pieces, more than a read takes at once.
		for _, tt := range []struct{ size, batch int }{{1024, 1}, {1024, 16}, {50_000, 16}} {
			start := send(t, c, f, tt.size, 40, tt.batch)
			r, err := c.Await(t.Context(), "g", wait)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Complete || r.Frames != 40*testSockets || r.Bytes < int64(40*testSockets*tt.size*8/10) || r.Last < start {
				t.Errorf("%d processes, %+v, begun at %d: %+v", processes, tt, start, r)
			}
		}
		s, err := c.Stats(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		if s.Fault() != "" || s.Open != testSockets || s.Frames != 3*40*testSockets {
			t.Errorf("%d processes: %+v", processes, s)
		}
		if err := c.Drop(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		for n := -1; n != 0; {
			if n, err = f.Sockets(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestATimedRound(t *testing.T) {
	c, f := testLoad(t, 3, "0")
	if err := f.Prepare(t.Context(), Texts{Seed: 1, Size: 300}, string(testChannel), 0, 2); err != nil {
		t.Fatal(err)
	}
	asked := 0 // of one process after the other, or of all at once
	var mu sync.Mutex
	err := c.ExpectTimed(t.Context(), "g", testSockets, func(_, count int) int {
		mu.Lock()
		defer mu.Unlock()
		asked += count
		return 2 * count
	})
	if err != nil || asked != testSockets {
		t.Fatalf("%d sockets were asked for (%v)", asked, err)
	}
	start, _, err := f.Write(t.Context(), 0, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Await(t.Context(), "g", wait)
	if err != nil || !r.Complete || r.Receipts.Count() != 2*testSockets {
		t.Fatalf("%+v (%v)", r, err)
	}
	last := r.Receipts.Quantile(start, 1)
	if at := start + int64(last); at > r.Last || r.Last-at > 1e9 || last < r.Receipts.Quantile(start, 0.5) {
		t.Errorf("the last of %+v at %d", r, at)
	}
	if err := c.Expect(t.Context(), "g", testSockets, 0); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Await(t.Context(), "g", wait); err != nil || r.Receipts != nil {
		t.Errorf("a round without timing: %+v (%v)", r, err)
	}
}

func TestALostFrameIsNoticed(t *testing.T) {
	c, f := testLoad(t, 1, "99")
	send(t, c, f, 1024, 10, 1)
	const want = 10*testSockets - 10*testSockets/99
	s := until(t, c, func(s Stats) bool { return s.Frames >= want })
	// The next frame of a socket shows the hole.
	if s.Frames != want || s.Lost == 0 || !strings.Contains(s.Fault(), "follows") {
		t.Errorf("%+v, want %d frames", s, want)
	}
	r, err := c.Await(t.Context(), "g", time.Millisecond)
	if err != nil || r.Complete || r.Frames != want {
		t.Errorf("%+v (%v), want %d frames", r, err, want)
	}
}

func TestAClosedSocketIsNoticed(t *testing.T) {
	c, f := testLoad(t, 1, "0")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s := until(t, c, func(s Stats) bool { return s.Open == 0 })
	if s.Closed != testSockets || s.Fault() == "" {
		t.Errorf("%+v", s)
	}
}

func TestConnectingToNobodyFails(t *testing.T) {
	c, f := testLoad(t, 1, "0")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g := Group{Name: "other", URLs: []string{f.URL}, User: "u", Sockets: 3, InFlight: 1}
	if err := c.Sign(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(t.Context(), g); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("connect: %v", err)
	}
}

func TestCPUAndMemoryOfAProcess(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x := 0
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); x++ {
	}
	after, err := CPU(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("CPU time %v, then %v (%v)", before, after, err)
	}
	n, err := MemoryOf(os.Getpid())
	if err != nil || n.Anonymous < 1<<20 || n.Resident <= n.Anonymous || n.Resident > 1<<32 {
		t.Errorf("memory %+v (%v)", n, err)
	}
}
