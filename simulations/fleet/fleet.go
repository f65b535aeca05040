package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// readyTime bounds the start of a node.
	readyTime = 20 * time.Second
	// stopTime bounds its end, before it is killed.
	stopTime = 15 * time.Second
)

// Fleet is a core and its edges.
type Fleet struct {
	Core  *Node
	Edges []*Node

	binary string
	env    []string
	dir    string // the core's data
}

// Node is one process.
type Node struct {
	Name   string
	URL    string // the core's API, or the edge's public port
	Admin  string // URL of the admin port
	Gossip string // address

	cmd  *exec.Cmd
	log  *tailBuffer
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; set before done is closed
}

// Start starts a core, and an edge in each region, as processes of binary with
// env added, and waits until they are fit for traffic. Stop the fleet, also
// after an error.
func Start(ctx context.Context, binary string, env []string, regions ...string) (*Fleet, error) {
	f := &Fleet{binary: binary, env: env}
	var err error
	if f.dir, err = os.MkdirTemp("", "selvedge-fleet-"); err != nil {
		return f, err
	}
	if err := f.StartCore(ctx); err != nil {
		return f, err
	}
	for _, region := range regions {
		if _, err := f.StartEdge(ctx, region); err != nil {
			return f, err
		}
	}
	return f, nil
}

// StartCore starts the core, or starts it again, on the data and the addresses
// that it had.
func (f *Fleet) StartCore(ctx context.Context) error {
	var old []string
	if f.Core != nil {
		old = f.Core.cmd.Args[1:]
	}
	n, err := f.start(ctx, old, "core", "core-1", "--api-addr", "--data", f.dir)
	if n != nil {
		f.Core = n
	}
	return err
}

// StartEdge adds an edge in a region, with more flags. With --tls-cert among
// them its URL is an https one.
func (f *Fleet) StartEdge(ctx context.Context, region string, flags ...string) (*Node, error) {
	name := fmt.Sprintf("edge-%d", len(f.Edges)+1)
	flags = append([]string{"--region", region, "--join", f.Core.Gossip}, flags...)
	n, err := f.start(ctx, nil, "edge", name, "--public-addr", flags...)
	if n != nil {
		f.Edges = append(f.Edges, n)
	}
	return n, err
}

// start runs a node; front names the flag of the address that it is used by.
// With args of an earlier run it is that node again.
func (f *Fleet) start(ctx context.Context, args []string, role, name, front string, more ...string) (*Node, error) {
	if args == nil {
		addrs, err := freeAddrs(4)
		if err != nil {
			return nil, err
		}
		args = append([]string{
			role, "--dev", "--name", name, "--log-level", "warn",
			front, addrs[0], "--link-addr", addrs[1], "--gossip-addr", addrs[2], "--admin-addr", addrs[3],
		}, more...)
	}
	// args[6:] are pairs of address flags and values
	n := &Node{Name: name, URL: "http://" + args[7], Gossip: args[11], Admin: "http://" + args[13], log: &tailBuffer{}, done: make(chan struct{})}
	if slices.Contains(args, "--tls-cert") {
		n.URL = "https://" + args[7]
	}
	n.cmd = exec.Command(f.binary, args...)
	n.cmd.Env = append(n.cmd.Environ(), f.env...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		n.err = n.cmd.Wait()
		close(n.done)
	}()
	return n, n.await(ctx)
}

// await waits until the node is fit for traffic.
func (n *Node) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for !Ready(ctx, n.Admin) {
		select {
		case <-n.done:
			return fmt.Errorf("%s ended at its start: %w: %s", n.Name, n.err, n.log)
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in time: %s", n.Name, n.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Ready reports whether the node at a base URL is fit for traffic.
func Ready(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
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

// Kill ends the node as a power cut of its process would: SIGKILL.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
}

// Stop asks the node to end, and kills it if it does not in time.
func (n *Node) Stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.done:
		return n.err
	case <-time.After(stopTime):
		n.Kill()
		return fmt.Errorf("%s did not stop within %v: %s", n.Name, stopTime, n.log)
	}
}

// PID is the node's process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Log is the end of what the node logged.
func (n *Node) Log() string { return n.log.String() }

// Stop ends every node, edges first, and removes the data.
func (f *Fleet) Stop() {
	for _, n := range append(f.Edges, f.Core) {
		if n != nil {
			_ = n.Stop()
		}
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
}

// EdgeURLs are the edges' public URLs.
func (f *Fleet) EdgeURLs() []string {
	var urls []string
	for _, e := range f.Edges {
		urls = append(urls, e.URL)
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
