package top

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/core/client"
	"selvedge/core/top/screen"
)

// fakeDisplay is a display of 80 x 24 that remembers what is on it.
type fakeDisplay struct {
	keys    chan screen.Key
	resized chan os.Signal

	mu    sync.Mutex
	lines []string // guarded by mu
	clear int      // guarded by mu; how often it was cleared
	err   error    // guarded by mu; what Draw fails with
}

func (d *fakeDisplay) Keys() <-chan screen.Key   { return d.keys }
func (d *fakeDisplay) Resized() <-chan os.Signal { return d.resized }
func (d *fakeDisplay) Size() (w, h int, err error) {
	return 80, 24, nil
}

func (d *fakeDisplay) Draw(lines []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = lines
	return d.err
}

func (d *fakeDisplay) Clear() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear++
	return nil
}

func (d *fakeDisplay) text() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return styles.ReplaceAllString(strings.Join(d.lines, "\n"), "")
}

// cores answer as they are told, after a while.
type cores struct {
	mu      sync.Mutex
	answers []answer      // guarded by mu
	after   time.Duration // guarded by mu
	asked   int           // guarded by mu; how often
	now     int           // guarded by mu; looks that are under way
	most    int           // guarded by mu; and the most of them
}

func (c *cores) look(ctx context.Context) []answer {
	c.mu.Lock()
	c.asked++
	c.now++
	c.most = max(c.most, c.now)
	answers, after := c.answers, c.after
	c.mu.Unlock()
	select {
	case <-time.After(after):
	case <-ctx.Done():
		answers = gone()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
	return answers
}

func (c *cores) answer(answers []answer, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers, c.after = answers, after
}

// running runs a live model in virtual time; stop ends it by its context.
func running(t *testing.T, c *cores) (d *fakeDisplay, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	d = &fakeDisplay{keys: make(chan screen.Key), resized: make(chan os.Signal)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live(ctx, &model{interval: time.Second}, d, c.look) }()
	return d, stop, ended
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cores{answers: two(), after: 10 * time.Millisecond}
		d, _, done := running(t, c)
		see := func(has bool, text string) {
			t.Helper()
			if got := d.text(); strings.Contains(got, text) != has {
				t.Errorf("%q is shown: %t, want %t:\n%s", text, !has, has, got)
			}
		}
		see(true, "asking")
		time.Sleep(20 * time.Millisecond)
		see(true, "paris")
		c.answer(gone(), 0)
		time.Sleep(time.Second)
		see(true, "OLD")
		see(true, "refused")
		time.Sleep(4 * time.Second)
		see(true, "this is how it was 4s ago") // the clock goes on

		c.answer(two(), 3500*time.Millisecond) // longer than the looks are apart
		time.Sleep(6 * time.Second)
		see(false, "OLD")
		c.mu.Lock()
		if c.most != 1 {
			t.Errorf("%d looks are under way at once", c.most)
		}
		if c.asked != 6+2 {
			t.Errorf("%d looks, want one at once, five each second, and two slow ones", c.asked)
		}
		c.mu.Unlock()

		d.resized <- os.Interrupt
		d.keys <- "?"
		see(true, "what is shown")
		d.mu.Lock()
		if d.clear != 1 {
			t.Errorf("it was cleared %d times", d.clear)
		}
		d.mu.Unlock()
		d.keys <- "q"
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.now != 0 {
			t.Error("a look is left behind")
		}
	})
}

func TestLiveEnds(t *testing.T) {
	wrong := []answer{{url: "http://a", err: &client.Error{Status: 401, Message: "no such key"}}}
	broken := errors.New("the terminal is broken")
	for name, test := range map[string]struct {
		answers []answer
		end     func(d *fakeDisplay, stop context.CancelFunc)
		want    string
	}{
		"by its context":  {two(), func(_ *fakeDisplay, stop context.CancelFunc) { stop() }, ""},
		"by its terminal": {two(), func(d *fakeDisplay, _ context.CancelFunc) { close(d.keys) }, ""},
		"by a wrong key":  {wrong, func(*fakeDisplay, context.CancelFunc) {}, "http://a: no such key"},
		"as it can't be drawn": {two(), func(d *fakeDisplay, _ context.CancelFunc) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.err = broken
		}, broken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, stop, done := running(t, &cores{answers: test.answers, after: 10 * time.Millisecond})
				defer stop()
				_ = d.text()
				test.end(d, stop)
				err := <-done
				if got := errorText(err); got != test.want {
					t.Errorf("it ends with %q, want %q", got, test.want)
				}
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
