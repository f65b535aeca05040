package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// nodeArgs begins a node's command line; front names the flag of the address
// that it is used by. Its addresses are at the places that start reads.
func nodeArgs(role, name, front string) ([]string, error) {
	addrs, err := FreeAddrs(4)
	if err != nil {
		return nil, err
	}
	return []string{
		role, "--dev", "--name", name, "--log-level", "warn",
		front, addrs[0], "--link-addr", addrs[1], "--gossip-addr", addrs[2], "--admin-addr", addrs[3],
	}, nil
}

func nameOf(args []string) string { return args[3] }

func gossipOf(args []string) string { return args[11] }

const (
	// Ports are taken from below those that systems give to outgoing connections (Linux:
	// from 32768 on, ip_local_port_range; others from 49152 on): between being found free and
	// being listened at, one of those would be somebody's now and then, where thousands
	// of sockets come and go.
	lowestPort = 12_000
	mostPorts  = 20_000
)

// FreeAddrs are n loopback addresses whose port nobody uses, for TCP and UDP. By the
// time they are used somebody may, which is rare.
func FreeAddrs(n int) ([]string, error) {
	out := make([]string, 0, n)
	for tries := 0; len(out) < n; tries++ {
		if tries > 100*n {
			return nil, errNoPorts
		}
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.N(mostPorts))
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		defer tcp.Close() // keeps the port from being found twice
		udp, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		defer udp.Close()
		out = append(out, addr)
	}
	return out, nil
}
