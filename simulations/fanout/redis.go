package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"selvedge/simulations/child"
	"selvedge/simulations/fleet"
)

// errNoRedis: there is no Redis to start.
var errNoRedis = errors.New("redis-server is not installed (Debian: apt-get install redis-server)")

const (
	// redisTime bounds the start of a server, and of a cluster.
	redisTime = 20 * time.Second
	// slots is how many parts a Redis Cluster has.
	slots = 16384
)

// redisServer is a process.
type redisServer struct {
	addr string
	cmd  *exec.Cmd
	wait func() error
	said *bytes.Buffer // read after its end
	conn *redisConn    // for commands
	more []*redisConn  // of publishers
}

// startRedis starts a server with its defaults, but without persistence, in a folder.
// Protected mode would refuse loopback addresses other than 127.0.0.1, which gateways
// come from; nobody but this machine reaches it anyway. more are options.
func startRedis(ctx context.Context, dir string, files int, more ...string) (*redisServer, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	addrs, err := fleet.FreeAddrs(2)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return nil, err
	}
	if len(more) > 0 { // of a cluster, whose nodes talk on another port
		_, bus, err := net.SplitHostPort(addrs[1])
		if err != nil {
			return nil, err
		}
		more = append(more, "--cluster-port", bus, "--cluster-config-file", "nodes-"+port+".conf")
	}
	args := append([]string{
		"--bind", "127.0.0.1", "--protected-mode", "no", "--port", port, "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no",
		"--maxclients", strconv.Itoa(files),
	}, more...)
	s := &redisServer{addr: addrs[0], cmd: exec.Command(binary, args...), said: new(bytes.Buffer)}
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	if s.wait, err = child.Start(s.cmd); err != nil {
		return nil, err
	}
	for end := time.Now().Add(redisTime); ; {
		if s.conn, err = dialRedis(ctx, s.addr); err == nil {
			return s, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			s.stop()
			return nil, errors.Join(ctx.Err(), fmt.Errorf("redis-server did not start: %w: %s", err, lastLine(s.said.String())))
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			s.stop()
			return nil, err
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func (s *redisServer) pid() int { return s.cmd.Process.Pid }

func (s *redisServer) stop() {
	for _, c := range append(s.more, s.conn) {
		if c != nil {
			c.close()
		}
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.wait() // how it ends does not matter
}

// startRedisCluster starts n servers that are one Redis Cluster, all of them
// masters.
func startRedisCluster(ctx context.Context, dir string, files, n int) (all []*redisServer, err error) {
	defer func() {
		if err != nil {
			stopAll(all)
			all = nil
		}
	}()
	for i := range n {
		s, err := startRedis(ctx, dir, files, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
		if err != nil {
			return all, err
		}
		all = append(all, s)
		first, last := slots*i/n, slots*(i+1)/n-1
		if _, err := s.conn.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
			return all, err
		}
	}
	for _, s := range all[1:] {
		host, port, err := net.SplitHostPort(s.addr)
		if err != nil {
			return all, err
		}
		bus, err := s.conn.do("CONFIG", "GET", "cluster-port")
		if err != nil || len(bus) != 2 {
			return all, errors.Join(err, errors.New("redis does not say its cluster-port"))
		}
		if _, err := all[0].conn.do("CLUSTER", "MEET", host, port, string(bus[1])); err != nil {
			return all, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, redisTime)
	defer cancel()
	for _, s := range all {
		for !s.knows(n) {
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return all, fmt.Errorf("the Redis Cluster did not come together within %v: %w", redisTime, err)
			}
		}
	}
	return all, nil
}

// knows reports whether a server is part of a whole cluster of n.
func (s *redisServer) knows(n int) bool {
	info, err := s.conn.do("CLUSTER", "INFO")
	return err == nil && len(info) == 1 && bytes.Contains(info[0], []byte("cluster_state:ok")) &&
		bytes.Contains(info[0], fmt.Appendf(nil, "cluster_known_nodes:%d\r", n))
}

// slotOwner is which of n servers has a channel's slot.
func slotOwner(s *redisServer, channel string, n int) (int, error) {
	e, err := s.conn.do("CLUSTER", "KEYSLOT", channel)
	if err != nil {
		return 0, err
	}
	slot, err := strconv.Atoi(string(e[0]))
	for i := range n {
		if slot < slots*(i+1)/n && err == nil {
			return i, nil
		}
	}
	return 0, errors.Join(err, fmt.Errorf("slot %q of channel %s", e[0], channel))
}

func stopAll(all []*redisServer) {
	for _, s := range all {
		s.stop()
	}
}

// written is what a process has written to its sockets and files so far, in bytes.
// Redis writes to sockets by write(2) and writev(2), which the kernel counts; without
// persistence it has no files.
func written(pid int) (n int64, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "io"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "wchar: "); ok {
			return strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d: the kernel does not count what it writes", pid)
}

// pause waits, or fails with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
