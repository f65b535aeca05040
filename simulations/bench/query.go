package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/wire"
)

// QueryCommand is `selvedge bench query`.
type QueryCommand struct {
	Clients  int           `help:"Sockets that ask." default:"16"`
	Users    int           `help:"Users of the team, each with a document." default:"2000"`
	Document int           `help:"Size of each document, in bytes." default:"400"`
	Objects  int           `help:"Documents that each question asks for." default:"1"`
	Depth    int           `help:"Questions that a client has under way, pipelined." default:"64"`
	Rounds   int           `help:"Rounds of pipelined questions." default:"9"`
	Long     time.Duration `help:"How long a round takes." default:"2s"`
	Rate     int           `help:"Questions per second of the paced part." default:"20000"`
	Paced    time.Duration `help:"How long the paced part takes." default:"10s"`
	edgeFlags
	Quick bool   `help:"Few and short rounds, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*QueryCommand) Help() string {
	return `How many questions an edge answers from its cache: each a get of documents of users who share a room with the asker, on the
same CPUs as the clients. First pipelined, as many as go; then paced, whether the last was answered or not, with the time that each
answer took from the moment at which its question was due.

Every answer is compared with the bytes that it must be.

  selvedge bench query
  selvedge bench query --objects 20 --depth 8`
}

// Run measures, and prints a table.
func (c *QueryCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench query: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

func (c *QueryCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Rounds, c.Long, c.Paced = min(c.Rounds, 3), min(c.Long, 500*time.Millisecond), min(c.Paced, 2*time.Second)
	}
	if c.Clients < 1 || c.Users < c.Clients || c.Objects < 1 || c.Objects > wire.MaxPage || c.Depth < 1 || c.Rounds < 1 || c.Rate < c.Clients {
		return nil, config.Usagef("every number must be positive, --users at least --clients, and --rate too")
	}
	r, err := newRig(ctx, "bench query", stdio, c.Clients, c.edgeFlags)
	q := &query{QueryCommand: c, rig: r}
	if err == nil {
		err = q.run(ctx)
	}
	for _, a := range q.askers {
		err = errors.Join(err, a.conn.Close())
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return q.result(), nil
}

// query is one run.
type query struct {
	*QueryCommand
	*rig

	askers []*asker
	rates  []float64       // questions/s, by round
	edge   []float64       // us of the edge's CPU per question, by round
	took   []time.Duration // of the paced part, in order of size
}

const teamRoom = wire.RoomID("team")

func teamUser(n int) wire.UserID { return wire.UserID(fmt.Sprintf("%s%d", userPrefix, n)) }

// document is a user's, of about a size.
func document(n, size int) (wire.Data, error) {
	return wire.ParseJSON(fmt.Appendf(nil, `{"name":"User %d","about":%q}`, n, strings.Repeat("about ", max(size-40, 6)/6)))
}

func (q *query) run(ctx context.Context) error {
	q.progress("%d users with documents of %d bytes, in one room", q.Users, q.Document)
	if err := q.team(ctx); err != nil {
		return err
	}
	url := q.fleet.EdgeURLs()[0]
	for i := range q.Clients {
		a, err := newAsker(ctx, url, teamUser(i))
		if a != nil {
			q.askers = append(q.askers, a)
		}
		if err == nil {
			// All documents are asked for by somebody, and none twice by one client.
			n := min(max(q.Users/q.Objects, 1), 8*q.Depth)
			err = a.prepare(i*n*q.Objects, n, q.Objects, q.Users)
		}
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	q.progress("pipelined")
	for round := range q.Rounds + 1 {
		before, err := q.usage()
		if err != nil {
			return err
		}
		start := time.Now()
		answered, err := q.pipelined(start.Add(q.Long))
		if err != nil {
			return err
		}
		took := time.Since(start)
		now, err := q.usage()
		if err != nil {
			return err
		}
		if round > 0 { // the first warms up
			q.rates = append(q.rates, float64(answered)/took.Seconds())
			q.edge = append(q.edge, micros(now.since(before).edge, answered))
		}
	}
	q.progress("paced")
	return q.paced()
}

// team makes the users and their room.
func (q *query) team(ctx context.Context) error {
	if err := q.join(ctx, teamRoom, numbers(q.Users)); err != nil {
		return err
	}
	for first := 0; first < q.Users; first += wire.MaxPage {
		docs := map[wire.UserID]client.Document{}
		for n := first; n < min(first+wire.MaxPage, q.Users); n++ {
			d, err := document(n, q.Document)
			if err != nil {
				return err
			}
			docs[teamUser(n)] = client.Document{Data: d}
		}
		if _, err := q.api.PutUsers(ctx, docs); err != nil {
			return err
		}
	}
	return nil
}

// pipelined has all ask until a moment.
func (q *query) pipelined(until time.Time) (answered int, err error) {
	counts := make([]int, len(q.askers))
	var g errgroup.Group
	for i, a := range q.askers {
		g.Go(func() (err error) {
			counts[i], err = a.ask(until, q.Depth)
			return err
		})
	}
	err = g.Wait()
	for _, n := range counts {
		answered += n
	}
	return answered, err
}

// paced has all ask at the rate.
func (q *query) paced() error {
	every := time.Duration(float64(time.Second) * float64(len(q.askers)) / float64(q.Rate))
	start := time.Now().Add(100 * time.Millisecond)
	took := make([][]time.Duration, len(q.askers))
	var g errgroup.Group
	for i, a := range q.askers {
		g.Go(func() (err error) {
			began := start.Add(every * time.Duration(i) / time.Duration(len(q.askers)))
			took[i], err = a.pace(began, every, int(q.Paced/every))
			return err
		})
	}
	err := g.Wait()
	q.took = slices.Concat(took...)
	slices.Sort(q.took)
	return err
}

// percentile is that of the paced part, in ms.
func (q *query) percentile(p float64) float64 {
	return float64(q.took[min(int(p*float64(len(q.took))), len(q.took)-1)]) / 1e6
}

func (q *query) result() *Result {
	res := newResult("query", q.QueryCommand, q.Quick)
	res.show("questions answered from the cache, pipelined", "1/s", q.rates...).atLeast(150_000)
	res.show("the edge's CPU for each", "us", q.edge...)
	res.show(fmt.Sprintf("p50 at %d/s", q.Rate), "ms", q.percentile(0.5))
	res.show(fmt.Sprintf("p99 at %d/s", q.Rate), "ms", q.percentile(0.99)).atMost(2)
	res.show(fmt.Sprintf("p99.9 at %d/s", q.Rate), "ms", q.percentile(0.999))
	res.note("%d clients in one process on the same %d CPUs; %d documents of %d bytes for each question; %d questions under way for each client.",
		q.Clients, res.CPUs, q.Objects, q.Document, q.Depth)
	return res
}
