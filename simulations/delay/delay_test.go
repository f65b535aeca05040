package delay

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type addr string

func (addr) Network() string  { return "fake" }
func (a addr) String() string { return string(a) }

type datagram struct {
	data string
	peer addr
	at   time.Duration // since the network began
}

// fakeConn is a packet connection in memory: what is written is noted with its
// time, what is to be read is put into arrivals.
type fakeConn struct {
	arrivals chan datagram
	closed   chan struct{}
	once     sync.Once
	began    time.Time

	mu      sync.Mutex
	written []datagram
}

func newFakeConn() *fakeConn {
	return &fakeConn{arrivals: make(chan datagram), closed: make(chan struct{}), began: time.Now()}
}

func (f *fakeConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-f.arrivals:
		return copy(b, d.data), d.peer, nil
	case <-f.closed:
		return 0, nil, net.ErrClosed
	}
}

func (f *fakeConn) WriteTo(b []byte, peer net.Addr) (int, error) {
	select {
	case <-f.closed:
		return 0, net.ErrClosed
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = append(f.written, datagram{string(b), addr(peer.String()), time.Since(f.began)})
	return len(b), nil
}

func (f *fakeConn) sent() []datagram {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]datagram(nil), f.written...)
}

func (f *fakeConn) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

func (f *fakeConn) LocalAddr() net.Addr              { return addr("here") }
func (f *fakeConn) SetDeadline(time.Time) error      { return nil }
func (f *fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (f *fakeConn) SetWriteDeadline(time.Time) error { return nil }

// ways answers delayOf from a table; it may be changed while in use.
type ways struct {
	mu sync.Mutex
	to map[string]time.Duration
}

func (w *ways) delayOf(a net.Addr) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to[a.String()]
}

func (w *ways) set(to string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to[to] = d
}

const ms = time.Millisecond

func write(t *testing.T, pc net.PacketConn, peer, data string) {
	t.Helper()
	// The buffer is spoilt afterwards, as QUIC does by using it again.
	b := []byte(data)
	if n, err := pc.WriteTo(b, addr(peer)); err != nil || n != len(b) {
		t.Fatalf("WriteTo = %d, %v", n, err)
	}
	clear(b)
}

func TestWriteIsDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConn()
		w := &ways{to: map[string]time.Duration{"far": 100 * ms, "near": 10 * ms}}
		pc := Wrap(f, w.delayOf)
		write(t, pc, "far", "1")
		write(t, pc, "near", "2") // overtakes: it goes to somebody else
		write(t, pc, "beside", "3")
		<-time.After(5 * ms)
		write(t, pc, "far", "4")
		w.set("far", 20*ms) // the way got shorter, the order stays
		write(t, pc, "far", "5")
		w.set("far", 0)
		write(t, pc, "far", "6")
		<-time.After(time.Second)
		write(t, pc, "far", "7") // nothing under way any more: straight through
		want := []datagram{
			{"3", "beside", 0},
			{"2", "near", 10 * ms},
			{"1", "far", 100 * ms},
			{"4", "far", 105 * ms},
			{"5", "far", 105 * ms},
			{"6", "far", 105 * ms},
			{"7", "far", 1005 * ms},
		}
		if diff := cmp.Diff(want, f.sent(), cmp.AllowUnexported(datagram{})); diff != "" {
			t.Error(diff)
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReadIsDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConn()
		w := &ways{to: map[string]time.Duration{"far": 100 * ms, "near": 10 * ms}}
		pc := Wrap(f, w.delayOf)
		go func() {
			f.arrivals <- datagram{data: "1", peer: "far"}
			f.arrivals <- datagram{data: "2", peer: "near"}
			f.arrivals <- datagram{data: "3", peer: "beside"}
			<-time.After(5 * ms)
			f.arrivals <- datagram{data: "4", peer: "far"}
			synctest.Wait() // it has been given its delay
			w.set("far", 20*ms)
			f.arrivals <- datagram{data: "5", peer: "far"}
		}()
		var got []datagram
		for range 5 {
			b := make([]byte, 10)
			n, peer, err := pc.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, datagram{string(b[:n]), addr(peer.String()), time.Since(f.began)})
		}
		want := []datagram{
			{"3", "beside", 0},
			{"2", "near", 10 * ms},
			{"1", "far", 100 * ms},
			{"4", "far", 105 * ms},
			{"5", "far", 105 * ms},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(datagram{})); diff != "" {
			t.Error(diff)
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDropsWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConn()
		const size = 1000
		pc := newConn(f, func(net.Addr) time.Duration { return 10 * ms }, 3*(size+overhead))
		for i := range 5 {
			write(t, pc, "far", fmt.Sprintf("%d%s", i, bytes.Repeat([]byte{'.'}, size-1)))
		}
		if got := pc.Dropped(); got != 2 {
			t.Errorf("%d dropped, want 2", got)
		}
		<-time.After(10 * ms)
		synctest.Wait()
		if got := f.sent(); len(got) != 3 || got[2].data[0] != '2' {
			t.Errorf("%d datagrams went out, want the first 3", len(got))
		}
		write(t, pc, "far", "there is room again")
		<-time.After(20 * ms)
		if got := f.sent(); len(got) != 4 {
			t.Errorf("%d datagrams went out, want 4", len(got))
		}
		for range 5 {
			f.arrivals <- datagram{data: string(make([]byte, size)), peer: "far"}
		}
		synctest.Wait()
		if got := pc.Dropped(); got != 4 {
			t.Errorf("%d dropped, want 4", got)
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConn()
		pc := Wrap(f, func(net.Addr) time.Duration { return 100 * ms })
		read := func() (time.Duration, error) {
			start := time.Now()
			_, _, err := pc.ReadFrom(make([]byte, 10))
			return time.Since(start), err
		}
		check := func(what string, took, want time.Duration, err error) {
			t.Helper()
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%s: %v is no timeout", what, err)
			}
			if took != want {
				t.Errorf("%s took %v, want %v", what, took, want)
			}
		}
		set := func(at time.Time) {
			t.Helper()
			if err := pc.SetReadDeadline(at); err != nil {
				t.Error(err)
			}
		}

		set(time.Now().Add(30 * ms))
		took, err := read()
		check("a deadline set before", took, 30*ms, err)
		took, err = read()
		check("the same again", took, 0, err)

		set(time.Time{})
		time.AfterFunc(40*ms, func() { set(time.Now()) })
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				took, err := read()
				check("a deadline set meanwhile", took, 40*ms, err)
			})
		}
		both.Wait()

		set(time.Time{})
		f.arrivals <- datagram{data: "x", peer: "far"}
		set(time.Now().Add(60 * ms))
		took, err = read()
		check("a deadline before the arrival", took, 60*ms, err)
		set(time.Time{})
		if took, err = read(); err != nil || took != 40*ms {
			t.Errorf("the datagram came after %v, %v; want 40ms", took, err)
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConn()
		pc := Wrap(f, func(net.Addr) time.Duration { return time.Hour })
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				if _, _, err := pc.ReadFrom(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("ReadFrom: %v", err)
				}
			})
		}
		f.arrivals <- datagram{data: "lost", peer: "far"}
		write(t, pc, "far", "bye")
		write(t, pc, "far", "bye again")
		synctest.Wait()
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
		readers.Wait()
		want := []datagram{{"bye", "far", 0}, {"bye again", "far", 0}}
		if diff := cmp.Diff(want, f.sent(), cmp.AllowUnexported(datagram{})); diff != "" {
			t.Error(diff)
		}
		if _, err := pc.WriteTo([]byte("x"), addr("far")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteTo after Close: %v", err)
		}
		if _, _, err := pc.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom after Close: %v", err)
		}
		if err := pc.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

// brokenConn fails to read for good.
type brokenConn struct{ *fakeConn }

var errBroken = errors.New("broken")

func (brokenConn) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, errBroken }

func TestReadErrorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := Wrap(brokenConn{newFakeConn()}, func(net.Addr) time.Duration { return time.Hour })
		for range 2 {
			if _, _, err := pc.ReadFrom(make([]byte, 1)); !errors.Is(err, errBroken) {
				t.Errorf("ReadFrom: %v", err)
			}
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
}
