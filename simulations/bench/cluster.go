package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// readyTime bounds the start of a node.
const readyTime = 20 * time.Second

// cluster is a core and edges as processes of this binary, with development
// keys, on free ports of loopback.
type cluster struct {
	binary string
	core   *process
	edges  []*process
	dir    string
}

// process is one node.
type process struct {
	name   string
	cmd    *exec.Cmd
	url    string // the core's API, or the edge's public port
	admin  string // URL
	gossip string
	log    *tailBuffer
	done   chan error // gets the end of the process, once
}

// startCluster starts a core and an edge per region, and waits until they are
// fit for traffic. Stop it, also after an error.
func startCluster(ctx context.Context, regions []string) (*cluster, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &cluster{binary: binary}
	if c.dir, err = os.MkdirTemp("", "selvedge-bench-"); err != nil {
		return c, err
	}
	if c.core, err = c.start(ctx, "core", "--api-addr", "--data", c.dir, "--log-level", "warn"); err != nil {
		return c, err
	}
	for _, region := range regions {
		e, err := c.start(ctx, "edge", "--public-addr", "--region", region, "--join", c.core.gossip, "--log-level", "warn")
		if err != nil {
			return c, err
		}
		c.edges = append(c.edges, e)
	}
	return c, nil
}

// start runs a node; frontFlag names the flag of the address that it is used by.
func (c *cluster) start(ctx context.Context, role, frontFlag string, args ...string) (*process, error) {
	addrs, err := freeAddrs(4)
	if err != nil {
		return nil, err
	}
	p := &process{name: role, url: "http://" + addrs[0], admin: "http://" + addrs[3], gossip: addrs[2], log: &tailBuffer{}, done: make(chan error, 1)}
	args = append([]string{role, "--dev", frontFlag, addrs[0], "--link-addr", addrs[1], "--gossip-addr", addrs[2], "--admin-addr", addrs[3]}, args...)
	p.cmd = exec.Command(c.binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for !isReady(ctx, p.url+"/readyz") {
		select {
		case err := <-p.done:
			return nil, fmt.Errorf("the %s ended at its start: %w: %s", role, err, p.log)
		case <-ctx.Done():
			_ = p.cmd.Process.Kill()
			return nil, fmt.Errorf("the %s was not ready in time: %s", role, p.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p, nil
}

func isReady(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends every node, edges first, and removes the data.
func (c *cluster) stop() {
	for _, p := range append(c.edges, c.core) {
		if p == nil {
			continue
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(15 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

func (c *cluster) edgeURLs() []string {
	var urls []string
	for _, e := range c.edges {
		urls = append(urls, e.url)
	}
	return urls
}

// freeAddrs are loopback addresses whose port nobody uses, for TCP and UDP.
func freeAddrs(n int) ([]string, error) {
	out := make([]string, 0, n)
	for tries := 0; len(out) < n; tries++ {
		if tries > 100*n {
			return nil, errors.New("no free ports on loopback")
		}
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer tcp.Close() // keeps the port from being found twice
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			continue
		}
		defer udp.Close()
		out = append(out, tcp.Addr().String())
	}
	return out, nil
}

// tailBuffer keeps the end of what a node logged.
type tailBuffer struct {
	mu sync.Mutex
	b  []byte // guarded by mu
}

const keptLog = 4 << 10

func (t *tailBuffer) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > 2*keptLog {
		t.b = bytes.Clone(t.b[len(t.b)-keptLog:])
	}
	return len(b), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
