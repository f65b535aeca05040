package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"selvedge/simulations/orders"
	"selvedge/wire"
)

// floor is a floor's process.
type floor struct {
	lose int // every how many writes one is left out; 0 = none

	packets [][]byte
	seq     wire.Seq // of the last one
	doors   []*door
	sockets atomic.Int64
	writes  atomic.Int64
}

// ServeFloor is a floor as the orders on in say. With lose it is broken: it
// leaves out every lose-th write, to show that the clients notice. It ends with
// in.
func ServeFloor(ctx context.Context, in io.Reader, out io.Writer, lose int) error {
	f := &floor{lose: lose}
	var g errgroup.Group
	defer func() {
		for _, d := range f.doors {
			d.stop()
		}
		_ = g.Wait()
	}()
	return orders.Obey(ctx, in, out, func(_ context.Context, o order) (word, error) {
		switch o.Do {
		case "listen":
			return f.listen(o.Welcome, &g)
		case "sockets":
			return word{Sockets: int(f.sockets.Load())}, nil
		case "prepare":
			return word{}, f.prepare(o)
		case "write":
			return f.write(o)
		}
		return word{}, fmt.Errorf("no such order")
	})
}

// threads is how many of them accept and write.
func threads() int { return runtime.GOMAXPROCS(0) }

// listen opens the port, and serves it.
func (f *floor) listen(size int, g *errgroup.Group) (word, error) {
	hail, err := welcome(size)
	if err != nil {
		return word{}, err
	}
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return word{}, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return word{}, os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(ln, unix.SOMAXCONN); err != nil {
		return word{}, os.NewSyscallError("listen", err)
	}
	at, err := unix.Getsockname(ln)
	if err != nil {
		return word{}, os.NewSyscallError("getsockname", err)
	}
	for range threads() {
		d, err := newDoor(f, ln, hail)
		if err != nil {
			return word{}, err
		}
		f.doors = append(f.doors, d)
		g.Go(d.run)
	}
	return word{URL: fmt.Sprintf("ws://127.0.0.1:%d/v1/socket", at.(*unix.SockaddrInet4).Port)}, nil
}

// floorTime is when the messages of floors were sent, by what they say (Unix ms): the
// same for all floors, so that these write the same bytes, as edges do.
const floorTime = 1_800_000_000_000

func (f *floor) prepare(o order) error {
	f.packets = f.packets[:0]
	for n := o.First; n < o.First+o.Count; n++ {
		f.seq++
		p, err := packet(o.Texts, wire.Channel(o.Channel), n, f.seq, floorTime)
		if err != nil {
			return err
		}
		f.packets = append(f.packets, p)
	}
	return nil
}

// write is the floor proper: each thread has its share of the sockets.
func (f *floor) write(o order) (word, error) {
	if o.First < 0 || o.Count < 0 || o.First+o.Count > len(f.packets) || o.Batch < 1 {
		return word{}, fmt.Errorf("packets %d to %d of %d, %d at a time", o.First, o.First+o.Count-1, len(f.packets), o.Batch)
	}
	packets := f.packets[o.First : o.First+o.Count]
	var fds []int
	for _, d := range f.doors {
		fds = append(fds, d.audience()...)
	}
	var g errgroup.Group
	start := Now()
	for t := range threads() {
		g.Go(func() error {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			return f.writeShare(fds[len(fds)*t/threads():len(fds)*(t+1)/threads()], packets, o.Batch)
		})
	}
	err := g.Wait()
	return word{Start: start, End: Now(), Sockets: len(fds)}, err
}

func (f *floor) writeShare(fds []int, packets [][]byte, batch int) error {
	for ; len(packets) > 0; packets = packets[min(batch, len(packets)):] {
		now := packets[:min(batch, len(packets))]
		for _, fd := range fds {
			if f.lose > 0 && f.writes.Add(1)%int64(f.lose) == 0 {
				continue
			}
			if err := writeAll(fd, now); err != nil {
				return err
			}
		}
	}
	return nil
}
