package top

import (
	"context"
	"os"
	"time"

	"selvedge/core/top/screen"
)

// display is what a *screen.Screen does.
type display interface {
	Keys() <-chan screen.Key
	Resized() <-chan os.Signal
	Size() (width, height int, err error)
	Draw(lines []string) error
	Clear() error
}

// second is the pace of the ages that are shown.
const second = time.Second

// live shows m, and tells it what happens, until it quits or ctx ends: that is
// how people end it, and no error. Only one look is under way at a time.
func live(ctx context.Context, m *model, d display, look func(context.Context) []answer) error {
	looking, stop := context.WithCancel(ctx)
	answers, asking := make(chan []answer, 1), false
	ask := func() {
		asking = true
		go func() { answers <- look(looking) }()
	}
	defer func() {
		stop()
		if asking {
			<-answers
		}
	}()
	ask()
	due, clock := time.NewTicker(m.interval), time.NewTicker(second)
	defer due.Stop()
	defer clock.Stop()
	m.tick(time.Now())
	for {
		if err := show(m, d); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case k, open := <-d.Keys():
			if !open {
				return nil // the terminal is gone
			}
			m.key(k)
		case <-d.Resized():
			if err := d.Clear(); err != nil {
				return err
			}
		case now := <-clock.C:
			m.tick(now)
		case a := <-answers:
			asking = false
			m.looked(time.Now(), a)
		case <-due.C:
			if !asking {
				ask()
			}
		}
		if m.quit {
			return m.err
		}
	}
}

// show draws m as large as the display is.
func show(m *model, d display) error {
	width, height, err := d.Size()
	if err != nil {
		return err
	}
	m.resize(width, height)
	return d.Draw(m.view())
}
