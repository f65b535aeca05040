package fleet

import (
	"os/exec"

	"selvedge/simulations/child"
)

// Adopt starts a process as a node that belongs to no fleet: for what runs where a fleet's
// addresses are not. Its URLs are its user's to set, and it can't be started again by
// Restart. Stop it.
func Adopt(name string, cmd *exec.Cmd) (*Node, error) {
	n := &Node{Name: name, cmd: cmd, log: &tailBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = n.log, n.log
	wait, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	go func() {
		n.err = wait()
		close(n.done)
	}()
	return n, nil
}
