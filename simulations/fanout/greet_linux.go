package fanout

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"selvedge/wire"
)

// greetTime bounds each read while a gateway subscribes, in seconds.
const greetTime = 30

// sources is how many loopback addresses gateways come from: 127.0.0.2 and those
// that follow, so that their ports suffice for many runs one after the other.
const sources = 16

// greeted connects gateway n and subscribes; the file descriptor is blocking. rest
// came after that.
func greeted(o order, n int) (fd int, rest []byte, err error) {
	to := o.Targets[n%len(o.Targets)]
	addr, err := netip.ParseAddrPort(to.Addr)
	if err != nil {
		return -1, nil, err
	}
	if fd, err = dial(addr, n); err != nil {
		return -1, nil, err
	}
	if o.Kind == kindSocket {
		rest, err = greetEdge(fd, to.Addr, "gateway-"+strconv.Itoa(n), wire.Channel(o.Channel))
	} else {
		rest, err = greetRedis(fd, o.Kind, o.Channel)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, nil, err
	}
	return fd, rest, nil
}

func dial(to netip.AddrPort, n int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// The port is chosen when the destination is known: it may be one that is used
	// towards another.
	err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: greetTime})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + n%sources)}})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", to, err)
	}
	return fd, nil
}

func greetRedis(fd int, kind, channel string) ([]byte, error) {
	command := "SUBSCRIBE"
	if kind == kindSharded {
		command = "SSUBSCRIBE"
	}
	if err := say(fd, appendCommand(nil, command, channel)); err != nil {
		return nil, err
	}
	return hear(fd, nil, func(b []byte) (int, bool, error) {
		_, used, err := parseReply(b)
		return used, used > 0, err
	})
}

func greetEdge(fd int, host, user string, topic wire.Channel) ([]byte, error) {
	first, err := hello(user, topic)
	if err != nil {
		return nil, err
	}
	if err := say(fd, upgrade(host)); err != nil {
		return nil, err
	}
	rest, err := hear(fd, nil, func(b []byte) (int, bool, error) {
		used, err := upgraded(b)
		return used, used > 0, err
	})
	if err != nil {
		return nil, err
	}
	if err := say(fd, first); err != nil {
		return nil, err
	}
	return hear(fd, rest, func(b []byte) (int, bool, error) {
		payload, _, used, err := socketMessage(b)
		if payload == nil || err != nil {
			return used, false, err
		}
		done, err := isWelcome(payload)
		return used, done, err
	})
}

func say(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b = b[n:]
	}
	return nil
}

// hear reads, after what is there already, until take has what it waits for. It
// returns what came after that.
func hear(fd int, b []byte, take func(b []byte) (used int, done bool, err error)) ([]byte, error) {
	buf := make([]byte, 4<<10)
	for {
		for len(b) > 0 {
			used, done, err := take(b)
			if err != nil {
				return nil, err
			}
			b = b[used:]
			if done {
				return b, nil
			}
			if used == 0 {
				break
			}
		}
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, os.NewSyscallError("read", err)
		case n == 0:
			return nil, errors.New("the connection was closed before it was subscribed")
		}
		b = append(b, buf[:n]...)
	}
}
