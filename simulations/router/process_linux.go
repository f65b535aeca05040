package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"selvedge/simulations/child"
)

// stopTime bounds the router's end, before it is killed.
const stopTime = 5 * time.Second

// Router is the process that moves packets between namespaces. It ends with this one, however
// that ends.
type Router struct {
	cmd  *exec.Cmd
	wait func() error
	in   *os.File // its end ends the router
	out  *json.Decoder
	from *os.File
	log  bytes.Buffer // read after its end
}

// Start starts `binary args...`, which must run Command, for the namespaces of a plan, in
// their order. Stop it, unless there is an error.
func Start(p Plan, spaces []*Space, binary string, args ...string) (*Router, error) {
	if len(spaces) != p.Spaces {
		return nil, fmt.Errorf("router: %d namespaces for a plan of %d", len(spaces), p.Spaces)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	r := &Router{cmd: exec.Command(binary, append(args, "--spaces", strconv.Itoa(p.Spaces))...)}
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), in.Close())
	}
	r.in, r.from, r.out = in, from, json.NewDecoder(from)
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = stdin, stdout, &r.log
	for _, s := range spaces {
		r.cmd.ExtraFiles = append(r.cmd.ExtraFiles, s.tun)
	}
	// What is typed to interrupt us is not for it: it is the last to end.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.wait, err = child.Start(r.cmd)
	if err = errors.Join(err, stdin.Close(), stdout.Close()); err != nil {
		return nil, errors.Join(err, in.Close(), from.Close())
	}
	var ready Counts
	if _, err = in.Write(append(text, '\n')); err == nil {
		err = r.out.Decode(&ready)
	}
	if err != nil {
		_, ending := r.Stop()
		return nil, errors.Join(fmt.Errorf("router: %w", err), ending)
	}
	return r, nil
}

// PID is the process.
func (r *Router) PID() int { return r.cmd.Process.Pid }

// Stop ends the router, and returns what it counted.
func (r *Router) Stop() (Counts, error) {
	kill := time.AfterFunc(stopTime, func() { _ = r.cmd.Process.Kill() })
	defer kill.Stop()
	errs := []error{r.in.Close()}
	var c Counts
	if err := r.out.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		errs = append(errs, err)
	}
	if err := r.wait(); err != nil {
		errs = append(errs, fmt.Errorf("router: %w: %s", err, bytes.TrimSpace(r.log.Bytes())))
	}
	return c, errors.Join(append(errs, r.from.Close())...)
}
