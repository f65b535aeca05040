package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"selvedge/core/top/screen"
	"selvedge/internal/config"
	"selvedge/internal/identity"
)

// leastInterval bounds how often cores are asked.
const leastInterval = 100 * time.Millisecond

// Command is `selvedge top`.
type Command struct {
	Core     []string      `default:"http://127.0.0.1:7400" placeholder:"URL" help:"API of a core. With several, name all: each knows its own links."`
	Key      string        `placeholder:"KEY" help:"API key."`
	Dev      bool          `help:"Use the key of a core that runs with --dev."`
	Interval time.Duration `default:"1s" help:"How often the cores are asked; 100ms at least."`
	Sort     string        `default:"node" placeholder:"COLUMN" help:"What to sort by: the name of a column, such as sockets, load or delay."`
	Once     bool          `help:"Print one table and end. So it is where the output is no terminal."`
}

// Help is the command's long help.
func (*Command) Help() string {
	return `Shows the nodes of a running cluster by region: how loaded they are, what they deliver, and which edge takes which logs from a core.
A core that does not answer is asked again; the last table stays, marked as old.

Examples:

  $ selvedge top --dev
  $ selvedge top --core https://core.example.com --key KEY --sort load
  $ selvedge top --key KEY --core http://10.0.0.1:7400,http://10.0.0.2:7400,http://10.0.0.3:7400
  $ selvedge top --dev --once | grep draining

Keys: q quits, ? explains the columns, the letter that is underlined in a column's title sorts by it,
arrows scroll. Where the terminal is narrow, the columns that matter least are left out.
--sort takes ` + columnNames() + `.`
}

// Run shows the cluster until it is told to stop, or once.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	order, err := c.check()
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	key := c.Key
	if c.Dev {
		key = identity.DevAPIKey
	}
	cores := newLooker(c.Core, key, transport)
	if out, ok := stdio.Stdout.(*os.File); c.Once || !ok || !term.IsTerminal(int(out.Fd())) {
		err = once(cores.look(ctx), order, stdio)
	} else {
		err = onScreen(ctx, &model{interval: c.Interval, order: order}, cores.look)
	}
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	return nil
}

// check finds out what can't work before anybody is asked.
func (c *Command) check() (order, error) {
	switch {
	case c.Dev && c.Key != "":
		return order{}, config.Usagef("top: --dev and --key exclude each other")
	case !c.Dev && c.Key == "":
		return order{}, config.Usagef("top: the API key is missing: give --key, or --dev for a core that runs with --dev")
	case c.Interval < leastInterval:
		return order{}, config.Usagef("top: --interval %s: use %s or more", c.Interval, leastInterval)
	}
	for _, core := range c.Core {
		if u, err := url.Parse(core); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return order{}, config.Usagef("top: --core %q is no address of a core: use a URL such as http://127.0.0.1:7400", core)
		}
	}
	by, ok := parseOrder(c.Sort)
	if !ok {
		return order{}, config.Usagef("top: --sort %q: there is no such column: use one of %s", c.Sort, columnNames())
	}
	return by, nil
}

// once prints the picture that answers make. Which cores failed is said on
// standard error; it is an error if none was left.
func once(answers []answer, by order, stdio *config.IO) error {
	p, ok := draw(time.Now(), answers)
	var failed []error
	for _, a := range answers {
		if a.err != nil {
			failed = append(failed, a.failure())
		}
	}
	if !ok || hopeless(answers) != nil {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		_, _ = fmt.Fprintf(stdio.Stderr, "top: %v\n", err)
	}
	regions := p.regions()
	by.sort(regions)
	head, body := table(rowsOf(regions), by, 0)
	lines := slices.Concat(p.summary(), []line{nil, head}, body)
	if feeds := p.relays(0); len(feeds) > 0 {
		lines = slices.Concat(lines, []line{nil}, feeds)
	}
	return write(stdio.Stdout, lines)
}

func write(w io.Writer, lines []line) error {
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, l.text()); err != nil {
			return err
		}
	}
	return nil
}

// onScreen shows m on the terminal until a key or ctx ends it.
func onScreen(ctx context.Context, m *model, look func(context.Context) []answer) error {
	s, err := screen.Open(screen.TTY)
	if err != nil {
		return fmt.Errorf("%w: use --once", err)
	}
	return errors.Join(live(ctx, m, s, look), s.Close())
}
