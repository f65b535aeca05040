package config

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signalled is a context that ends at the first signal to stop (SIGINT, SIGTERM).
// The second ends the process at once, by that signal: it is not lost however soon
// it comes. Two that the kernel has not delivered yet are one. For one call per
// process: it listens until the process ends.
func Signalled(parent context.Context) context.Context {
	ctx, stop := context.WithCancel(parent)
	signals := make(chan os.Signal, 2) // one for each that counts
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		second := <-signals
		signal.Reset(second)
		if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(second) != nil {
			os.Exit(StatusFailed)
		}
	}()
	return ctx
}
