package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"selvedge/simulations/child"
)

const (
	// readyTime bounds the start of a node, if nothing else is said.
	readyTime = 30 * time.Second
	// stopTime bounds its end, before it is killed.
	stopTime = 15 * time.Second
)

// Node is one process.
type Node struct {
	Name   string
	URL    string // the core's API, or the edge's public port
	Admin  string // URL of the admin port
	Gossip string // address

	under, args []string // what it was started with
	cmd         *exec.Cmd
	log         *tailBuffer
	done        chan struct{} // closed when the process has ended
	err         error         // how it ended; set before done is closed
}

// start starts the process of a node, which await waits for.
func (f *Fleet) start(name string, under, args []string) (*Node, error) {
	// args[6:] are pairs of address flags and values, see nodeArgs
	n := &Node{
		Name: name, URL: "http://" + args[7], Gossip: gossipOf(args), Admin: "http://" + args[13],
		under: under, args: args, log: &tailBuffer{}, done: make(chan struct{}),
	}
	if slices.Contains(args, "--tls-cert") {
		n.URL = "https://" + args[7]
	}
	line := slices.Concat(under, []string{f.cfg.Binary}, args)
	n.cmd = exec.Command(line[0], line[1:]...)
	n.cmd.Env = append(n.cmd.Environ(), f.cfg.Env...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	wait, err := child.Start(n.cmd)
	if err != nil {
		return nil, err
	}
	go func() {
		n.err = wait()
		close(n.done)
	}()
	return n, nil
}

// await waits until the node is fit for traffic.
func (n *Node) await(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(patience, readyTime))
	defer cancel()
	for !Ready(ctx, n.Admin) {
		select {
		case <-n.done:
			if n.err == nil {
				return fmt.Errorf("%s ended at its start, without an error: %s", n.Name, n.log)
			}
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
	_, err = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return errors.Join(err, res.Body.Close()) == nil && res.StatusCode == http.StatusOK
}

// Kill ends the node as a power cut of its process would: SIGKILL.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
}

// Pause stops the node in the midst of whatever it does (SIGSTOP): its
// connections stay, and nobody answers.
func (n *Node) Pause() error { return n.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused node go on.
func (n *Node) Continue() error { return n.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the node to end, and kills it if it does not in time.
func (n *Node) Stop() error {
	_ = n.Continue() // a paused one would not hear it
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.done:
		return n.err
	case <-time.After(stopTime):
		n.Kill()
		return fmt.Errorf("%s did not stop within %v: %s", n.Name, stopTime, n.log)
	}
}

// Done is closed when the node has ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// PID is the node's process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Log is the end of what the node logged.
func (n *Node) Log() string { return n.log.String() }

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
