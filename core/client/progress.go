package client

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"selvedge/internal/config"
)

const (
	// said is how many failures are told one by one.
	said = 10
	// Between two reports, on a terminal and elsewhere.
	terminalEvery = 200 * time.Millisecond
	otherEvery    = 5 * time.Second
)

// progress counts, and reports on standard error while a stream is published.
type progress struct {
	acknowledged, failed atomic.Int64

	mu       sync.Mutex // for what is written
	stderr   io.Writer
	bar      *progressbar.ProgressBar // nil = no terminal
	failures int                      // told

	quit chan struct{} // closed by stop
	done sync.WaitGroup
}

func startProgress(stdio *config.IO) *progress {
	p := &progress{stderr: stdio.Stderr, quit: make(chan struct{})}
	every := otherEvery
	if stdio.Terminal() {
		every = terminalEvery
		p.bar = progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(stdio.Stderr), progressbar.OptionSetDescription("acknowledged"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("messages"),
			progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionClearOnFinish())
	}
	p.done.Go(func() { p.run(every) })
	return p
}

func (p *progress) run(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before int64
	for {
		select {
		case <-ticker.C:
			n := p.acknowledged.Load()
			p.report(n, float64(n-before)/every.Seconds())
			before = n
		case <-p.quit:
			return
		}
	}
}

func (p *progress) report(n int64, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Set64(n) // a bar that can't be drawn harms nobody
		return
	}
	_, _ = fmt.Fprintf(p.stderr, "selvedge: publish: %d acknowledged, %.0f/s\n", n, rate)
}

// stop ends the reports and returns the counts.
func (p *progress) stop() (acknowledged, failed int64) {
	close(p.quit)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	if more := p.failed.Load() - int64(p.failures); p.failures == said && more > 0 {
		_, _ = fmt.Fprintf(p.stderr, "selvedge: publish: and %d more failed\n", more)
	}
	return p.acknowledged.Load(), p.failed.Load()
}

// fail counts a message that failed, and tells of the first few.
func (p *progress) fail(number int, err error) {
	p.failed.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures < said {
		p.failures++
		p.sayLocked("line %d: %v", number, err)
	}
}

func (p *progress) sayLocked(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	_, _ = fmt.Fprintf(p.stderr, "selvedge: publish: "+format+"\n", args...)
}

// Write lets others write lines between the reports.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	return p.stderr.Write(b)
}
