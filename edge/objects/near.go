package objects

import (
	"context"
	"maps"
	"slices"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// Siblings are the edges of the region. A document that is not at hand is asked of
// the one that all of them ask for it, so that it crosses the ocean once, however many
// edges have use for it. That one's answer says of which position of the state log it
// is: the core's marker of our own interest tells whether the document has changed
// since, and so it is as fresh as if the core had answered (rule 8).
type Siblings interface {
	// Of is the sibling to ask for a document; "" = the core.
	Of(key string) string
	// Ask asks it, and fails at once if there is no link to it.
	Ask(ctx context.Context, node string, q *wire.Query) (*wire.Answer, error)
}

const (
	// nearTimeout is how long a sibling may take; then the core is asked. It may have
	// to ask the core itself.
	nearTimeout = time.Second
	// maxNear bounds the questions to one sibling under way.
	maxNear = 2
)

// near is what is to be asked of siblings, by their names. Guarded by loader.mu.
type near struct {
	wanted map[string][]*wanted
	flying map[string]int
}

// fromSibling queues a document for a sibling.
func (q *loader) fromSibling(node string, w *wanted) {
	q.mu.Lock()
	if q.near.wanted == nil {
		q.near = near{map[string][]*wanted{}, map[string]int{}}
	}
	q.near.wanted[node] = append(q.near.wanted[node], w)
	q.mu.Unlock()
	q.wake()
}

// nextNear is a batch to ask a sibling for now; nil = there is none.
func (q *loader) nextNear() (string, []*wanted) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, node := range slices.Sorted(maps.Keys(q.near.wanted)) {
		if q.near.flying[node] == maxNear {
			continue
		}
		all := q.near.wanted[node]
		n := min(len(all), wire.MaxPage)
		if q.near.wanted[node] = all[n:]; n == len(all) {
			delete(q.near.wanted, node)
		}
		q.near.flying[node]++
		return node, all[:n:n]
	}
	return "", nil
}

func (q *loader) landedNear(node string) {
	q.mu.Lock()
	if q.near.flying[node]--; q.near.flying[node] == 0 {
		delete(q.near.flying, node)
	}
	q.mu.Unlock()
	q.wake()
}

// askSibling asks a sibling for a batch, and the core for what it does not have.
func (o *Objects) askSibling(ctx context.Context, node string, batch []*wanted) {
	defer o.loader.landedNear(node)
	q := &wire.Query{T: wire.QGet, Keys: make([]string, len(batch))}
	for i, w := range batch {
		q.Keys[i] = w.key
	}
	asking, cancel := context.WithTimeout(ctx, nearTimeout)
	defer cancel()
	a, err := o.cfg.Siblings.Ask(asking, node, q)
	if err != nil || a.Err != nil {
		a = &wire.Answer{}
	}
	missing := make(map[string]struct{}, len(a.Missing))
	for _, key := range a.Missing {
		missing[key] = struct{}{}
	}
	for _, w := range batch {
		doc, ok := a.Objects[w.key]
		if _, none := missing[w.key]; none {
			doc, ok = wire.Object{V: a.V}, true
		}
		if ok {
			o.told(w, doc, a.V)
		} else {
			o.fromCore(w)
		}
	}
}

// told takes a document that was read at a position, and asks for the interest in it,
// whose marker says whether it is still so.
func (o *Objects) told(w *wanted, doc wire.Object, read wire.Seq) {
	s := o.shardOf(w.key)
	seed := o.version(s, w.key, doc.V, doc.Data)
	s.mu.Lock()
	ours := w.e.load == w.load // else Reset has ended it
	if ours {
		w.load.seed, w.e.wanted = seed, true
	}
	s.mu.Unlock()
	if ours {
		o.cfg.Upstream.Want(wire.StateLog, upstream.Want{
			Key: interest(w.key), Since: read, Token: seeded{o, w.key, w.e, w.load},
		})
	}
}

// GetHere is Get for a sibling: what is not at hand is asked of the core.
func (o *Objects) GetHere(ctx context.Context, keys []string, out []*Object) error {
	return o.gets(ctx, keys, out, true)
}
