package steer

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"selvedge/internal/config"
)

// linesEvery is the time between two lines on standard error, where it is no terminal.
const linesEvery = 2 * time.Second

// progress shows on standard error how far a node is: as a bar on a terminal, as a line
// now and then elsewhere.
type progress struct {
	watch  *watch
	stderr io.Writer

	terminal bool
	bar      *progressbar.ProgressBar // nil = none is drawn
	said     string                   // the last line
	next     time.Time                // one, at the earliest
}

func newProgress(stdio *config.IO, w *watch) *progress {
	return &progress{watch: w, stderr: stdio.Stderr, terminal: stdio.Terminal()}
}

// show shows what watch knows now; trouble is why the last look told nothing, nil = it did.
func (p *progress) show(now time.Time, trouble error) {
	w := p.watch
	if p.terminal && trouble == nil && w.most > 0 {
		p.draw()
		return
	}
	text := "drains"
	switch {
	case trouble != nil:
		text = trouble.Error()
	case w.absent > 0:
		return // it has gone, or nearly
	case w.open >= 0:
		text = fmt.Sprintf("drains, %d of %d %s left", w.open, w.most, w.what())
	}
	if text == p.said || now.Before(p.next) {
		return
	}
	p.said, p.next = text, now.Add(linesEvery)
	p.clear()
	_, _ = fmt.Fprintf(p.stderr, "drain: %s: %s\n", w.node, text) // who does not read it needs none
}

func (p *progress) draw() {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(p.watch.most,
			progressbar.OptionSetWriter(p.stderr), progressbar.OptionSetDescription(fmt.Sprintf("%s drains, %s moved", p.watch.node, p.watch.what())),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	}
	p.bar.ChangeMax(p.watch.most)
	_ = p.bar.Set(p.watch.most - p.watch.open) // a bar that can't be drawn harms nobody
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// end leaves the terminal to what follows.
func (p *progress) end() { p.clear() }
