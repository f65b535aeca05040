package child

import (
	"os/exec"
	"runtime"
)

// Start starts cmd as cmd.Start does. On Linux the kernel kills the process when
// this one ends, also when that is killed: an interrupted measurement leaves nothing
// running. On other systems it may.
//
// wait is cmd.Wait, which nobody else may call. It may be called any number of
// times, from any goroutine; the process is waited for anyway.
func Start(cmd *exec.Cmd) (wait func() error, err error) {
	bind(cmd)
	started, ended := make(chan error), make(chan struct{})
	var outcome error // set before ended is closed
	go func() {
		// The kernel means the thread that started it (prctl(2), PR_SET_PDEATHSIG):
		// this one is kept until the process has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			outcome = cmd.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error {
		<-ended
		return outcome
	}, nil
}
