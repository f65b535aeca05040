package load

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Whatever a socket takes at once, it gets all, in order.
func TestWriteAllToAFullSocket(t *testing.T) {
	var packets [][]byte
	var want []byte
	random := rand.NewChaCha8([32]byte{1})
	for i := range 40 {
		p := make([]byte, 50_000+i)
		_, _ = random.Read(p) // it can't fail
		packets, want = append(packets, p), append(want, p...)
	}
	for _, batch := range []int{1, len(packets)} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetNonblock(pair[0], true); err != nil {
			t.Fatal(err)
		}
		if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
			t.Fatal(err)
		}
		var g errgroup.Group
		g.Go(func() error {
			defer func() { _ = unix.Close(pair[0]) }() // the end, for the reader
			for first := 0; first < len(packets); first += batch {
				if err := writeAll(pair[0], packets[first:first+batch]); err != nil {
					return err
				}
			}
			return nil
		})
		var got []byte
		buf := make([]byte, 700)
		for {
			n, err := unix.Read(pair[1], buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			got = append(got, buf[:n]...)
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(pair[1])
		if !bytes.Equal(got, want) {
			t.Errorf("%d packets a write: %d bytes came, not the %d that were sent", batch, len(got), len(want))
		}
	}
}

func TestWritingToNobodyFails(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(pair[1])
	for _, packets := range [][][]byte{{{1}}, {{1}, {2}}} {
		if err := writeAll(pair[0], packets); err == nil {
			t.Error("written")
		}
	}
	_ = unix.Close(pair[0])
}
