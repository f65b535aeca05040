package world

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/wire"
)

const (
	// endAsks is how many questions each client asks at the end.
	endAsks = 30
	// forgotten is how long after the last client an edge has forgotten all users.
	forgotten = 45 * time.Second
)

// check looks when nothing has changed for a while: edges and clients must
// have what the core has. published is when the last messages were.
func (s *society) check(ctx context.Context, published time.Duration) {
	truth := s.truth.present()
	last := truth.at(truth.last(s.p.w.Net.Since()))
	for _, c := range s.p.w.Clients {
		for _, key := range c.watched() {
			s.watchedIs(c, key, truth, last)
		}
		for i := range s.p.load.Rooms {
			s.authorIs(c, i, published, truth, last)
		}
	}
	s.mu.Lock()
	focused := slices.Clone(s.focusers)
	s.mu.Unlock()
	for _, f := range focused {
		for _, ch := range f.rooms() {
			if told, at := f.c.toldOf(ch), s.p.last(ch, s.p.w.Net.Since()); !f.shows(ch) && told < at {
				s.broken("%s was told of activity in %s up to %d, which has a message at %d", f.c.User, ch, told, at)
			}
		}
	}
	// Last, since answers tell clients what they should have been told before.
	var wg sync.WaitGroup
	for i, c := range s.p.w.Clients {
		a := &asker{s: s, c: c, said: &answers{}, r: s.p.dice("end", i)}
		wg.Go(func() {
			for range endAsks {
				a.ask(ctx)
			}
		})
	}
	wg.Wait()
}

// watchedIs holds what a client has of a document that it watches against the
// state, if it could see it when it changed last.
func (s *society) watchedIs(c *Client, key string, truth *chronicle, last *snapshot) {
	if edge, _ := c.session(); edge == tinyEdge {
		return // which may have refused to watch so much
	}
	want, exists := last.docs[key]
	visible := truth.settled(func(a, b *snapshot) bool { return a.sees(c.User, key) == b.sees(c.User, key) })
	changed := truth.settled(func(a, b *snapshot) bool { return same(a.docs[key], b.docs[key]) })
	if !last.sees(c.User, key) || visible+age > changed {
		return
	}
	s.checked("watched")
	if have, known := c.Object(key); known != exists || known && !same(have, want) {
		s.broken("%s watches %s and has %d %x (%v), which is %d %x (%v)", c.User, key, have.V, have.Data, known, want.V, want.Data, exists)
	}
}

// authorIs looks whether a client knows who wrote the last message of channel i.
func (s *society) authorIs(c *Client, i int, published time.Duration, truth *chronicle, last *snapshot) {
	ch, author := s.p.channel(i), s.p.author(i)
	key := "user:" + string(author)
	want, exists := last.docs[key]
	changed := truth.settled(func(a, b *snapshot) bool { return same(a.docs[key], b.docs[key]) })
	if author == c.User || !exists || !s.p.isIn(c, ch) || !s.shows(c, ch) || changed+age > published {
		return
	}
	s.checked("author")
	if have, known := c.Object(key); !known || !same(have, want) {
		s.broken("%s has a message of %s in %s, and %d %x (%v) of that user, which is %d %x", c.User, author, ch, have.V, have.Data, known, want.V, want.Data)
	}
}

// shows reports whether a client gets the frames of a channel.
func (s *society) shows(c *Client, ch wire.Channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.focusers {
		if f.c == c {
			return f.shows(ch)
		}
	}
	return true
}

func (s *society) checked(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[kind]++
}

// focused notes a client that has changed its focus for the last time.
func (s *society) focused(f *focuser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.focusers = append(s.focusers, f)
}

// leave ends all clients, and looks whether anything is left of them.
func (w *World) leave(ctx context.Context) (problems []string) {
	for _, c := range w.Clients {
		if err := c.stop(); err != nil {
			problems = append(problems, err.Error())
		}
	}
	<-time.After(forgotten)
	for _, n := range w.Edges {
		var edge struct {
			Interests int `json:"interests"`
			Users     int `json:"users"`
			Cache     int `json:"cache_bytes"`
		}
		if n.killed {
			continue
		}
		if err := n.varz(ctx, &edge); err != nil {
			problems = append(problems, err.Error())
		}
		if edge.Interests+edge.Users+edge.Cache > 0 {
			problems = append(problems, fmt.Sprintf("all clients are gone, and %s has %d interests, %d users, %d bytes of frames", n.Name, edge.Interests, edge.Users, edge.Cache))
		}
	}
	for _, n := range w.Cores {
		interests, err := n.metric(ctx, "selvedge_core_interest")
		if err != nil {
			problems = append(problems, err.Error())
		}
		if interests > 0 {
			problems = append(problems, fmt.Sprintf("all clients are gone, and %s has %d interests", n.Name, interests))
		}
	}
	return problems
}
