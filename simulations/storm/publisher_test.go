package storm

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	backend "selvedge/core/client"
	"selvedge/simulations/ledger"
)

// published runs a publisher for a second, and tells how it ended and how long stop took.
func published(t *testing.T, publish func(ctx context.Context) error) (p *publisher, stopped time.Duration, err error) {
	begin := time.Now()
	p = &publisher{
		book: ledger.New(), now: func() time.Duration { return time.Since(begin) }, rooms: 2, gap: 300 * time.Millisecond,
		publish: func(ctx context.Context, _ backend.Message) (backend.Placed, error) {
			return backend.Placed{}, publish(ctx)
		},
	}
	p.start(t.Context())
	time.Sleep(time.Second) // in a bubble
	asked := time.Now()
	err = p.stop()
	if again := p.stop(); !errors.Is(again, err) {
		t.Errorf("it ended with %v, and then with %v", err, again)
	}
	return p, time.Since(asked), err
}

func TestThePublisherTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		p, stopped, err := published(t, func(context.Context) error {
			if tries++; tries == 2 {
				return &backend.Error{Status: http.StatusTooManyRequests}
			}
			return nil
		})
		if err != nil || stopped != 0 || p.failed != 1 || p.book.Result().Acknowledged != 4 {
			t.Errorf("it ended after %v with %v; %d tries failed, %v", stopped, err, p.failed, p.book.Result())
		}
	})
}

// A core that is dead holds nobody up for ever.
func TestThePublisherGivesUp(t *testing.T) {
	for name, publish := range map[string]func(ctx context.Context) error{
		"refused": func(context.Context) error { return errUnreachable },
		"silent": func(ctx context.Context) error {
			<-ctx.Done()
			return errUnreachable
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stopped, err := published(t, publish)
				if !errors.Is(err, errNoAnswer) || !errors.Is(err, errUnreachable) || stopped != lastTime || p.failed == 0 {
					t.Errorf("it ended after %v with %v; %d tries failed", stopped, err, p.failed)
				}
			})
		})
	}
}

// What no other try will change ends it at once.
func TestThePublisherIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stopped, err := published(t, func(context.Context) error {
			return &backend.Error{Status: http.StatusForbidden, Message: "not with this key"}
		})
		if err == nil || !strings.Contains(err.Error(), "not with this key") || stopped != 0 || p.failed != 1 {
			t.Errorf("it ended after %v with %v; %d tries failed", stopped, err, p.failed)
		}
	})
}
