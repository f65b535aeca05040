package top

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"selvedge/core/client"
)

// patience bounds one look: a core that says nothing is as good as gone, and must
// not keep the others' answers from being seen.
const patience = 3 * time.Second

var errSilent = fmt.Errorf("no answer within %s", patience)

// looker asks cores. It is safe for concurrent use.
type looker struct{ clients []*client.Client }

// newLooker asks the cores at urls with key, over transport.
func newLooker(urls []string, key string, transport http.RoundTripper) *looker {
	l := &looker{}
	for _, u := range urls {
		// The next look is the repetition.
		l.clients = append(l.clients, &client.Client{BaseURL: u, Key: key, HTTP: &http.Client{Transport: transport}, Retries: -1})
	}
	return l
}

// look asks all cores at once; the answers are in their order.
func (l *looker) look(ctx context.Context) []answer {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	answers := make([]answer, len(l.clients))
	var asked sync.WaitGroup
	for i, c := range l.clients {
		asked.Go(func() {
			cluster, err := c.Cluster(ctx)
			if errors.Is(err, errSilent) {
				err = fmt.Errorf("%s: %w", c.BaseURL, err)
			}
			answers[i] = answer{c.BaseURL, cluster, err}
		})
	}
	asked.Wait()
	return answers
}

// failure is what a person is told of an answer that is none.
func (a answer) failure() error {
	if _, answered := errors.AsType[*client.Error](a.err); answered {
		return fmt.Errorf("%s: %w", a.url, a.err)
	}
	return a.err // it names the address
}
