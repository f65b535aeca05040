package door

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"selvedge/edge/websocket"
)

// startFloor is the system calls alone, on one thread: accept4, epoll_ctl, read,
// write, read, close.
func startFloor(b *testing.B, ctx context.Context, g *errgroup.Group, s *shards) string {
	ln := listenShared(b, "127.0.0.1:0")
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		b.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	var started sync.WaitGroup
	started.Add(1)
	g.Go(func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = file.Close() }()
		fd := int(file.Fd())
		started.Done()
		return floor(ctx, fd, s)
	})
	started.Wait()
	return addr
}

func floor(ctx context.Context, listener int, s *shards) error {
	answer := websocket.Agreement{}.AppendAnswer(nil)
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(ep) }()
	if err := errors.Join(unix.SetNonblock(listener, true),
		unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, listener, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(listener)})); err != nil {
		return err
	}
	events, buf := make([]unix.EpollEvent, 256), make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(ep, events, 50)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for i := range max(n, 0) {
			fd := int(events[i].Fd)
			if fd == listener {
				for nfd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK, 0, 0); errno == 0; nfd, _, errno = unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK, 0, 0) {
					_ = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, int(nfd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(nfd)})
				}
				continue
			}
			if n, _ := unix.Read(fd, buf); n > 0 {
				_, _ = unix.Write(fd, answer)
				continue
			}
			_ = unix.Close(fd)
			s.gone.Add(1)
		}
	}
	return nil
}
