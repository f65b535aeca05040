package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxPacket is more than any datagram.
	maxPacket = 64 << 10
	// receiveBuffer is asked of the kernel for datagrams, in bytes.
	receiveBuffer = 2 << 20
	// firstPause and lastPause bound the wait after an error.
	firstPause, lastPause = 5 * time.Millisecond, time.Second
)

// sockets are TCP and UDP on one port. They are memberlist.NetTransport, but
// that it allocates 64 KiB for each datagram, which was four fifths of the
// garbage of an idle edge: here a datagram takes what it has.
type sockets struct {
	tcp     *net.TCPListener
	udp     *net.UDPConn
	logger  *log.Logger
	packets chan *memberlist.Packet // never closed
	streams chan net.Conn           // never closed
	done    chan struct{}           // closed by Shutdown
	end     sync.Once
	wg      sync.WaitGroup
}

var _ memberlist.Transport = (*sockets)(nil)

// newSockets opens TCP and UDP at an address; at the same port, if its is 0.
func newSockets(at netip.AddrPort, logger *log.Logger) (*sockets, error) {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	port := tcp.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), uint16(port))))
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	_ = udp.SetReadBuffer(receiveBuffer) // as much as the system allows
	s := &sockets{
		tcp: tcp, udp: udp, logger: logger,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), done: make(chan struct{}),
	}
	s.wg.Go(s.receive)
	s.wg.Go(s.accept)
	return s, nil
}

func (s *sockets) port() uint16 { return uint16(s.tcp.Addr().(*net.TCPAddr).Port) }

// receive hands datagrams on.
func (s *sockets) receive() {
	buf := make([]byte, maxPacket)
	var pause time.Duration
	for {
		n, from, err := s.udp.ReadFrom(buf)
		at := time.Now()
		if err != nil {
			if !s.wait(&pause, "receive", err) {
				return
			}
			continue
		}
		pause = 0
		if n == 0 {
			continue
		}
		select {
		case s.packets <- &memberlist.Packet{Buf: bytes.Clone(buf[:n]), From: from, Timestamp: at}:
		case <-s.done:
			return
		}
	}
}

// accept hands streams on.
func (s *sockets) accept() {
	var pause time.Duration
	for {
		conn, err := s.tcp.AcceptTCP()
		if err != nil {
			if !s.wait(&pause, "accept", err) {
				return
			}
			continue
		}
		pause = 0
		select {
		case s.streams <- conn:
		case <-s.done:
			_ = conn.Close()
			return
		}
	}
}

// wait waits a little after an error; it says false at the end.
func (s *sockets) wait(pause *time.Duration, what string, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.logger.Printf("[ERR] memberlist: %s: %v", what, err)
	*pause = min(max(2**pause, firstPause), lastPause)
	select {
	case <-time.After(*pause):
		return true
	case <-s.done:
		return false
	}
}

// FinalAdvertiseAddr is memberlist.Transport's: newTransport has settled it.
func (s *sockets) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	addr := net.ParseIP(ip)
	if addr == nil {
		return nil, 0, fmt.Errorf("gossip: %q is no address to advertise", ip)
	}
	return addr, port, nil
}

// WriteTo is memberlist.Transport's.
func (s *sockets) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return time.Time{}, err
	}
	_, err = s.udp.WriteTo(b, to)
	return time.Now(), err
}

// PacketCh is memberlist.Transport's.
func (s *sockets) PacketCh() <-chan *memberlist.Packet { return s.packets }

// StreamCh is memberlist.Transport's.
func (s *sockets) StreamCh() <-chan net.Conn { return s.streams }

// DialTimeout is memberlist.Transport's.
func (s *sockets) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, timeout)
}

// Shutdown is memberlist.Transport's.
func (s *sockets) Shutdown() error {
	var err error
	s.end.Do(func() {
		close(s.done)
		err = errors.Join(s.tcp.Close(), s.udp.Close())
		s.wg.Wait()
	})
	return err
}
