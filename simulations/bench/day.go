package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// DayCommand is `selvedge bench day`.
type DayCommand struct {
	Messages int      `help:"Messages that are published." default:"50000"`
	Rooms    int      `help:"Rooms that they go to." default:"200"`
	Clients  int      `help:"Clients that receive, spread over the edges." default:"1000"`
	PerUser  int      `help:"Rooms that each client is in." default:"20"`
	Edges    []string `help:"Regions of the edges." default:"us-east,eu-west,ap-southeast"`
	JSON     string   `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*DayCommand) Help() string {
	return `Starts a core and three edges as processes on loopback, connects the clients, and gives 'selvedge publish -' the messages
as JSON lines. Every acknowledged message is accounted for at every client: lost, duplicated, out of order.

  selvedge bench day
  selvedge bench day --messages 5000 --rooms 20 --clients 100 --per-user 5`
}

// DayResult is what the command measures.
type DayResult struct {
	ledger.Result

	Messages         int     `json:"messages"`
	Rooms            int     `json:"rooms"`
	Clients          int     `json:"clients"`
	Edges            int     `json:"edges"`
	PublishSeconds   float64 `json:"publish_seconds"`
	AcknowledgedPerS float64 `json:"acknowledged_per_s"`
	DeliverSeconds   float64 `json:"deliver_seconds"` // from the first publish to the last delivery
	DeliveriesPerS   float64 `json:"deliveries_per_s"`
	DelayP50Millis   float64 `json:"delay_p50_ms"` // core's acceptance to client, under this load
	DelayP99Millis   float64 `json:"delay_p99_ms"`
	Connections      int     `json:"connections"` // more than clients: some had to reconnect
}

// stallTime is how long the run goes on without any delivery before it is over.
const stallTime = 20 * time.Second

// Run measures, prints a table, and fails if a promise was not kept.
func (c *DayCommand) Run(ctx context.Context, stdio *config.IO) error {
	if c.Messages < 1 || c.Rooms < 1 || c.Clients < 1 || c.PerUser < 1 || c.PerUser > c.Rooms || c.Clients > 5000 || len(c.Edges) < 1 {
		return config.Usagef("bench day: there must be messages, rooms, edges and clients (at most 5000), and --per-user can't be more than --rooms")
	}
	note := func(format string, args ...any) {
		_, _ = fmt.Fprintf(stdio.Stderr, "bench day: "+format+"\n", args...) // progress may go unread
	}
	note("starting a core and %d edges", len(c.Edges))
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := fleet.Start(ctx, binary, nil, c.Edges...)
	defer f.Stop()
	if err != nil {
		return err
	}
	d := &day{DayCommand: c, fleet: f, binary: binary, book: ledger.New()}
	note("%d rooms, %d members", c.Rooms, c.Clients*c.PerUser)
	if err := d.populate(ctx); err != nil {
		return err
	}
	note("connecting %d clients", c.Clients)
	stop, err := d.connect(ctx)
	defer stop()
	if err != nil {
		return err
	}
	note("publishing %d messages", c.Messages)
	res, err := d.measure(ctx)
	if err != nil {
		return err
	}
	if err := d.report(stdio.Stdout, res); err != nil {
		return err
	}
	if err := save(c.JSON, res); err != nil {
		return err
	}
	if !res.Kept() {
		return errors.New("bench day: " + res.String())
	}
	return nil
}

// day is one run.
type day struct {
	*DayCommand
	fleet   *fleet.Fleet
	binary  string
	book    *ledger.Ledger
	readers []*reader
	seen    atomic.Int64 // deliveries
	last    atomic.Int64 // time of the newest, Unix nanoseconds
}

func (d *day) room(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("day-%d", i%d.Rooms)) }
func (d *day) user(i int) wire.UserID { return wire.UserID(fmt.Sprintf("reader-%d", i)) }

// populate makes the rooms and their members by the API.
func (d *day) populate(ctx context.Context) error {
	api := &client.Client{BaseURL: d.fleet.Core.URL, Key: identity.DevAPIKey}
	docs := map[wire.RoomID]client.Document{}
	members := map[wire.RoomID][]wire.UserID{}
	for i := range d.Rooms {
		name, err := wire.ParseJSON(fmt.Appendf(nil, `{"name":"Room %d"}`, i))
		if err != nil {
			return err
		}
		docs[d.room(i)] = client.Document{Data: name}
	}
	for u := range d.Clients {
		for k := range d.PerUser {
			r := d.room(u*7 + k) // neighbours share most rooms, as colleagues do
			members[r] = append(members[r], d.user(u))
			d.book.Expect(string(d.user(u)), wire.RoomChannel(r))
		}
	}
	if _, err := api.PutRooms(ctx, docs); err != nil {
		return err
	}
	for r, users := range members {
		if _, err := api.ChangeMembers(ctx, r, users, nil); err != nil {
			return err
		}
	}
	return nil
}

// connect starts the clients and waits until each is welcome.
func (d *day) connect(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	stop = func() {
		cancel()
		running.Wait()
	}
	urls := d.fleet.EdgeURLs()
	for i := range d.Clients {
		r, err := newReader(d, d.user(i), urls[i%len(urls)])
		if err != nil {
			return stop, err
		}
		d.readers = append(d.readers, r)
		running.Go(func() { r.run(ctx) })
	}
	timeout := time.After(time.Minute)
	for _, r := range d.readers {
		select {
		case <-r.welcomed:
		case <-ctx.Done():
			return stop, ctx.Err()
		case <-timeout:
			return stop, errors.New("the clients were not welcomed within a minute")
		}
	}
	return stop, nil
}

// measure publishes, and waits until nothing more comes.
func (d *day) measure(ctx context.Context) (DayResult, error) {
	start := time.Now()
	d.last.Store(start.UnixNano())
	summary, err := d.publish(ctx)
	if err != nil {
		return DayResult{}, err
	}
	per := make([]int, d.Rooms)
	for i := range d.Messages {
		d.book.Acknowledged(wire.RoomChannel(d.room(i)), per[i%d.Rooms])
		per[i%d.Rooms]++
	}
	want := int64(d.book.Result().Expected)
	for d.seen.Load() < want && time.Since(time.Unix(0, d.last.Load())) < stallTime {
		select {
		case <-ctx.Done():
			return DayResult{}, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	res := DayResult{
		Result: d.book.Result(), Messages: d.Messages, Rooms: d.Rooms, Clients: d.Clients, Edges: len(d.fleet.Edges),
		PublishSeconds: summary.Seconds, AcknowledgedPerS: summary.PerSecond,
		DeliverSeconds: time.Unix(0, d.last.Load()).Sub(start).Seconds(),
	}
	res.DeliveriesPerS = float64(res.Delivered) / res.DeliverSeconds
	var delays []float64
	for _, r := range d.readers {
		delays = append(delays, r.sample()...)
		res.Connections += int(r.client.Stats().Connections)
	}
	slices.Sort(delays)
	if n := len(delays); n > 0 {
		res.DelayP50Millis, res.DelayP99Millis = delays[n/2], delays[n*99/100]
	}
	return res, nil
}

// summary is the last line of `selvedge publish -`.
type summary struct {
	Acknowledged int     `json:"acknowledged"`
	Failed       int     `json:"failed"`
	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"per_second"`
}

// publish runs the command that anyone would.
func (d *day) publish(ctx context.Context) (summary, error) {
	cmd := exec.CommandContext(ctx, d.binary, "publish", "--dev", "--core", d.fleet.Core.URL, "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		return summary{}, err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		return summary{}, err
	}
	writeErr := d.writeLines(in)
	if err := cmd.Wait(); err != nil {
		return summary{}, fmt.Errorf("publish: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	if writeErr != nil {
		return summary{}, writeErr
	}
	var s summary
	if err := json.Unmarshal([]byte(strings.TrimSpace(out.String())), &s); err != nil {
		return summary{}, fmt.Errorf("publish said %q: %w", out.String(), err)
	}
	if s.Failed > 0 || s.Acknowledged != d.Messages {
		return s, fmt.Errorf("publish: %d of %d acknowledged", s.Acknowledged, d.Messages)
	}
	return s, nil
}

// words make the messages differ in length and text.
const words = "warp weft selvedge indigo loom shuttle bobbin heddle reed treadle twill denim canvas thread spool yarn dye vat bolt hem"

// writeLines writes the messages, and closes w.
func (d *day) writeLines(w io.WriteCloser) error {
	buf := bufio.NewWriter(w)
	list := strings.Fields(words)
	per := make([]int, d.Rooms)
	for i := range d.Messages {
		r := i % d.Rooms
		text := list[i%len(list)] + " " + strings.Join(list[:i%len(list)], " ")
		_, _ = fmt.Fprintf(buf, `{"channel":%q,"from":"bench","data":{"n":%d,"text":%q,"sent":true}}`+"\n", wire.RoomChannel(d.room(r)), per[r], text)
		per[r]++
	}
	return errors.Join(buf.Flush(), w.Close()) // Flush has the first error of any write
}

// report prints the table.
func (d *day) report(w io.Writer, r DayResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	// t keeps the first error of any write for Flush.
	row := func(name, format string, v any) { _, _ = fmt.Fprintf(t, "%s\t"+format+"\t\n", name, v) }
	_, _ = fmt.Fprintf(t, "%d messages over %d rooms, %d clients in %d rooms each at %d edges\n\n", r.Messages, r.Rooms, r.Clients, d.PerUser, r.Edges)
	row("acknowledged", "%d", r.Acknowledged)
	row("acknowledged/s", "%.0f", r.AcknowledgedPerS)
	row("deliveries expected", "%d", r.Expected)
	row("delivered", "%d", r.Delivered)
	row("delivered/s", "%.0f", r.DeliveriesPerS)
	row("lost", "%d", r.Lost)
	row("duplicated", "%d", r.Duplicated)
	row("out of order", "%d", r.OutOfOrder)
	row("delay p50, ms", "%.0f", r.DelayP50Millis)
	row("delay p99, ms", "%.0f", r.DelayP99Millis)
	row("connections", "%d", r.Connections)
	return t.Flush()
}
