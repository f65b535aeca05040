package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// roomOf is the room that number i publishes to.
func roomOf(i int) wire.RoomID { return wire.RoomID(fmt.Sprint("r", i)) }

// account has a book see what a listener gets, until the test ends.
func account(t *testing.T, book *ledger.Ledger, user string, l *listener) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case m := <-l.messages:
				var body struct {
					N int `json:"n"`
				}
				if err := wire.Msgpack.Decode(m.Data, &body); err != nil {
					t.Error(err)
					return
				}
				book.Saw(user, m.Ch, body.N)
			}
		}
	}()
	t.Cleanup(func() {
		close(quit)
		<-done
	})
}

// complete waits until everybody has everything, and checks that it came as it
// should.
func complete(t *testing.T, book *ledger.Ledger) {
	t.Helper()
	for deadline := time.Now().Add(patience); book.Missing() > 0 && time.Now().Before(deadline); {
		<-time.After(50 * time.Millisecond)
	}
	r := book.Result()
	t.Log(r)
	if !r.Kept() {
		t.Errorf("promises were broken: %v", r)
	}
}

// backends publish over HTTP, each to a room of its own, and none waits longer
// than for the answer.
type backends struct {
	t     *testing.T
	book  *ledger.Ledger
	cores []string      // URLs
	pause time.Duration // of one of them, after an answer
	http  *http.Client
	quit  chan struct{}
	all   sync.WaitGroup

	mu      sync.Mutex
	acked   int           // guarded by mu
	refused int           // guarded by mu: 503
	nobody  int           // guarded by mu: nobody listens there any more
	bad     []string      // guarded by mu: neither an answer nor a refusal
	longest time.Duration // guarded by mu: without an acknowledgement, of one of them
}

// newBackends are n of them. Those with several cores go to the next one when one
// refuses, with the same msg_id; else they end.
func newBackends(t *testing.T, book *ledger.Ledger, n int, pause time.Duration, cores ...string) *backends {
	b := &backends{
		t: t, book: book, cores: cores, pause: pause, quit: make(chan struct{}),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}, Timeout: patience},
	}
	for i := range n {
		b.all.Go(func() { b.run(i) })
	}
	t.Cleanup(func() {
		b.stop()
		b.http.CloseIdleConnections()
	})
	return b
}

// stop ends them, each after its answer.
func (b *backends) stop() {
	select {
	case <-b.quit:
	default:
		close(b.quit)
	}
	b.all.Wait()
}

func (b *backends) run(i int) {
	ch, at := wire.RoomChannel(roomOf(i)), i%len(b.cores)
	last := time.Now()
	for n := 0; ; {
		select {
		case <-b.quit:
			return
		default:
		}
		status, err := b.post(b.cores[at], ch, n)
		done := err == nil && status == http.StatusOK
		b.mu.Lock()
		switch {
		case done:
			b.book.Acknowledged(ch, n)
			b.acked++
			b.longest = max(b.longest, time.Since(last))
			last = time.Now()
			n++
		case err == nil && status == http.StatusServiceUnavailable:
			b.refused++
		case errors.Is(err, syscall.ECONNREFUSED):
			b.nobody++
		default:
			b.bad = append(b.bad, fmt.Sprintf("%s %d: %d %v", ch, n, status, err))
		}
		b.mu.Unlock()
		pause := b.pause
		if !done {
			if len(b.cores) == 1 {
				return
			}
			at, pause = (at+1)%len(b.cores), 20*time.Millisecond
		}
		select {
		case <-b.quit:
			return
		case <-time.After(pause):
		}
	}
}

// post publishes once. A 503 must be one that a caller can work with.
func (b *backends) post(core string, ch wire.Channel, n int) (int, error) {
	body := fmt.Sprintf(`{"channel":%q,"data":{"n":%d},"msg_id":"%s-%d"}`, ch, n, ch, n)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, core+"/v1/publish", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+identity.DevAPIKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := b.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusServiceUnavailable &&
		(res.Header.Get("Retry-After") == "" || !bytes.Contains(text, []byte(`"unavailable"`))) {
		err = fmt.Errorf("a refusal without Retry-After or code: %v %s", res.Header, text)
	}
	return res.StatusCode, err
}

// count is how many publishes were acknowledged so far.
func (b *backends) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked
}

// await waits until so many were acknowledged.
func (b *backends) await(n int) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); b.count() < n; {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d publishes of %d were acknowledged", b.count(), n)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// talkers publish over their sockets, each to a room of its own.
type talkers struct {
	quit chan struct{}
	all  sync.WaitGroup

	mu      sync.Mutex
	acked   int           // guarded by mu
	refused int           // guarded by mu: unavailable, and tried again
	bad     []string      // guarded by mu: other errors
	longest time.Duration // guarded by mu: one of them waited for an acknowledgement
}

// newTalkers publish from listeners, each to the room of its number and one after
// the other, with a pause between.
func newTalkers(t *testing.T, book *ledger.Ledger, all []*listener, first int, pause time.Duration) *talkers {
	k := &talkers{quit: make(chan struct{})}
	for i, l := range all {
		k.all.Go(func() {
			ch := wire.RoomChannel(roomOf(first + i))
			start := time.Now()
			for n := 0; ; {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err := l.Publish(ctx, ch, object(t, fmt.Sprintf(`{"n":%d}`, n)), fmt.Sprint(ch, "-", n))
				cancel()
				refused, ok := errors.AsType[*client.RequestError](err)
				k.mu.Lock()
				k.longest = max(k.longest, time.Since(start))
				switch {
				case err == nil:
					k.acked++
					book.Acknowledged(ch, n)
					n++
				case ok && refused.Code == wire.Unavailable:
					k.refused++
				default:
					k.bad = append(k.bad, fmt.Sprintf("%s %d: %v", ch, n, err))
					n++
				}
				k.mu.Unlock()
				select {
				case <-k.quit:
					return
				case <-time.After(pause):
				}
				if err == nil {
					start = time.Now()
				}
			}
		})
	}
	t.Cleanup(k.stop)
	return k
}

// stop ends them, each after its answer.
func (k *talkers) stop() {
	select {
	case <-k.quit:
	default:
		close(k.quit)
	}
	k.all.Wait()
}

// count is how many publishes were acknowledged so far.
func (k *talkers) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.acked
}

// await waits until so many were acknowledged.
func (k *talkers) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); k.count() < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d publishes of %d were acknowledged", k.count(), n)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// head are the first of many.
func head(all []string) []string { return all[:min(len(all), 5)] }

// unready notes how long after a signal a node said that it isn't fit for traffic,
// or was gone.
func unready(t *testing.T, n *fleet.Node) chan time.Duration {
	start, out := time.Now(), make(chan time.Duration, 1)
	go func() {
		for fleet.Ready(context.WithoutCancel(t.Context()), n.Admin) {
			if time.Since(start) > patience {
				break
			}
		}
		out <- time.Since(start)
	}()
	return out
}
