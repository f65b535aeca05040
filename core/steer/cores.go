package steer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"selvedge/core/client"
	"selvedge/topology"
)

// patience bounds one question: a core that says nothing is as good as gone.
const patience = 3 * time.Second

var errPatience = fmt.Errorf("no answer within %s", patience)

// cores are those that may be asked: the first is, until it does not answer. It is for
// one goroutine.
type cores struct{ clients []*client.Client }

func newCores(urls []string, key string, transport http.RoundTripper) *cores {
	c := &cores{}
	for _, u := range urls {
		// The next look is the repetition.
		c.clients = append(c.clients, &client.Client{BaseURL: u, Key: key, HTTP: &http.Client{Transport: transport}, Retries: -1})
	}
	return c
}

// prefer puts a core first that has a link to the node, and else one that answers. An
// error means that none does, or that one will never answer.
func (c *cores) prefer(ctx context.Context, node topology.NodeID) error {
	answers, best := -1, -1
	var failed []error
	for i, one := range c.clients {
		cluster, err := cluster(ctx, one)
		if err != nil {
			if final(err) {
				return err
			}
			failed = append(failed, err)
			continue
		}
		answers = i
		if slices.ContainsFunc(cluster.Links, func(l client.Link) bool { return l.Node == node }) {
			best = i
			break
		}
	}
	if best < 0 {
		best = answers
	}
	if best < 0 {
		return errors.Join(failed...)
	}
	c.clients[0], c.clients[best] = c.clients[best], c.clients[0]
	return nil
}

// look asks the first core that answers how its cluster is. The error is that of the
// one that was asked last.
func (c *cores) look(ctx context.Context) (answer client.Cluster, err error) {
	for range c.clients {
		if answer, err = cluster(ctx, c.clients[0]); err == nil {
			return answer, nil
		}
		c.clients = append(c.clients[1:], c.clients[0])
	}
	return answer, err
}

func cluster(ctx context.Context, c *client.Client) (client.Cluster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	answer, err := c.Cluster(ctx)
	if _, says := errors.AsType[*client.Error](err); says || errors.Is(err, errPatience) {
		err = fmt.Errorf("%s: %w", c.BaseURL, err) // else it names the address
	}
	return answer, err
}

// final says that an error will not change by itself.
func final(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status/100 == 4 && e.Status != http.StatusTooManyRequests
}
