package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/wire"
)

// awaitRelays waits until the core feeds each log to one edge of a region, each of
// which has its part of them.
func awaitRelays(t *testing.T, f *fleet.Fleet, region string) {
	t.Helper()
	const logs = 16
	for start := time.Now(); ; <-time.After(20 * time.Millisecond) {
		cluster, err := (&backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}).Cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fed, least, edges := 0, logs, 0
		for _, l := range cluster.Links {
			if l.Region != region {
				continue
			}
			edges++
			fed += len(l.Logs)
			least = min(least, len(l.Logs))
		}
		if fed == logs && least == logs/edges {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("the core feeds %v", cluster.Links)
		}
	}
}

// counted is a counter of a node.
func counted(t *testing.T, n *fleet.Node, name string) int {
	t.Helper()
	all, err := fleet.ReadMetrics(t.Context(), n.Admin)
	if err != nil {
		t.Fatal(err)
	}
	return int(all[name])
}

// Of four edges in a region, one takes a log from the core: a frame crosses once,
// whoever is where. And a document that is asked for at each of them is asked of the
// core once.
func TestARegionAsksOnce(t *testing.T) {
	f := startFleet(t, "eu-west", "eu-west", "eu-west", "eu-west")
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	ctx := t.Context()
	if _, err := api.PutRoom(ctx, "general", backend.Document{Data: object(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	const people = 40
	var members []wire.UserID
	for i := range people {
		u := wire.UserID(fmt.Sprint("u", i))
		if _, err := api.PutUser(ctx, u, backend.Document{Data: object(t, fmt.Sprintf(`{"name":"Number %d"}`, i))}); err != nil {
			t.Fatal(err)
		}
		members = append(members, u)
	}
	if _, err := api.ChangeMembers(ctx, "general", members, nil); err != nil {
		t.Fatal(err)
	}
	awaitRelays(t, f, "eu-west")
	var all []*listener
	for i, e := range f.Edges {
		l := listen(t, fmt.Sprint("u", i), nil, e.URL)
		next(t, "welcome", l.welcome)
		all = append(all, l)
	}
	const out = `selvedge_link_frames_total{direction="out",scope="ocean"}`
	before := counted(t, f.Core, out)
	const messages = 25
	for i := range messages {
		if _, err := api.Publish(ctx, backend.Message{Channel: "room:general", Data: object(t, fmt.Sprintf(`{"n":%d}`, i))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range all {
		for range messages {
			next(t, "message", l.messages)
		}
	}
	if crossed := counted(t, f.Core, out) - before; crossed != messages {
		t.Errorf("%d messages crossed the ocean %d times", messages, crossed)
	}
	const get = `selvedge_core_requests_total{kind="get"}`
	before = counted(t, f.Core, get)
	for i := 10; i < people; i++ { // one after the other: no two go in one question
		key := fmt.Sprint("user:u", i)
		for k, l := range all {
			docs, err := l.Get(ctx, key)
			if err != nil || len(docs.Objects) != 1 {
				t.Fatalf("edge %d answers %v, %v", k, docs, err)
			}
		}
	}
	if asked := counted(t, f.Core, get) - before; asked != people-10 {
		t.Errorf("four edges asked the core %d times for %d documents", asked, people-10)
	}
}

// An edge that comes late is told by a sibling what is hot, and has it when somebody
// asks: of the core's documents nothing crosses once more.
func TestALateEdgeIsWarm(t *testing.T) {
	f := startFleet(t, "eu-west", "eu-west")
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	ctx := t.Context()
	if _, err := api.PutRoom(ctx, "general", backend.Document{Data: object(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	const people = 30
	var members []wire.UserID
	var keys []string
	for i := range people {
		u := wire.UserID(fmt.Sprint("u", i))
		if _, err := api.PutUser(ctx, u, backend.Document{Data: object(t, `{"name":"One"}`)}); err != nil {
			t.Fatal(err)
		}
		members, keys = append(members, u), append(keys, fmt.Sprint("user:u", i))
	}
	if _, err := api.ChangeMembers(ctx, "general", members, nil); err != nil {
		t.Fatal(err)
	}
	for i, e := range f.Edges {
		l := listen(t, fmt.Sprint("u", i), nil, e.URL)
		next(t, "welcome", l.welcome)
		if _, err := l.Get(ctx, keys...); err != nil {
			t.Fatal(err)
		}
	}
	late := startEdge(t, f)
	l := listen(t, "u9", nil, late.URL)
	next(t, "welcome", l.welcome)
	var status struct {
		CacheBytes int `json:"cache_bytes"`
		Interests  int `json:"interests"`
	}
	for start := time.Now(); status.Interests < people; <-time.After(20 * time.Millisecond) {
		res, err := http.Get(late.Admin + "/varz")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(json.NewDecoder(res.Body).Decode(&status), res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) > patience {
			t.Fatalf("the late edge holds %d interests", status.Interests)
		}
	}
	const get = `selvedge_core_requests_total{kind="get"}`
	before := counted(t, f.Core, get)
	docs, err := l.Get(ctx, keys...)
	if err != nil || len(docs.Objects) != people {
		t.Fatalf("%d of %d documents, %v", len(docs.Objects), people, err)
	}
	if asked := counted(t, f.Core, get) - before; asked != 0 {
		t.Errorf("the core was asked %d times for what a sibling has", asked)
	}
}

// A signal comes to everybody in the room but its sender, once: at the same edge, at
// its siblings, and in another region; whichever of them relays the room's log.
func TestASignalComesOnce(t *testing.T) {
	f := startFleet(t, "eu-west", "eu-west", "eu-west", "us-east")
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	rooms := []wire.RoomID{"a", "b", "c", "d", "e", "f"}
	for _, room := range rooms {
		if _, err := api.PutRoom(t.Context(), room, backend.Document{Data: object(t, `{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	var all []*listener
	for i := range 2 * len(f.Edges) {
		u := wire.UserID(fmt.Sprint("u", i))
		if _, err := api.ChangeUserRooms(t.Context(), u, rooms, nil); err != nil {
			t.Fatal(err)
		}
		l := listen(t, string(u), nil, f.Edges[i%len(f.Edges)].URL)
		next(t, "welcome", l.welcome)
		all = append(all, l)
	}
	awaitRelays(t, f, "eu-west")
	const rounds = 5
	seen := make([]map[string]int, len(all)) // by listener, and by room and round
	for i := range seen {
		seen[i] = map[string]int{}
	}
	for round := range rounds {
		sender := all[round]
		for _, room := range rooms {
			sig := object(t, fmt.Sprintf(`{"sig":"%s %d"}`, room, round))
			// Datagrams may get lost, even on loopback; if it is, so be the next one to the same room.
			if err := sender.Signal(wire.RoomChannel(room), sig); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range all {
			if l == sender {
				continue
			}
			for range rooms {
				s := next(t, fmt.Sprintf("signal of round %d for u%d (has %v)", round, i, seen[i]), l.signals)
				seen[i][string(s.Ch)+string(s.Data)]++
			}
		}
	}
	for i, l := range all {
		for len(l.signals) > 0 {
			s := <-l.signals
			seen[i][string(s.Ch)+string(s.Data)]++
		}
		for sig, n := range seen[i] {
			if n != 1 {
				t.Errorf("u%d had %q %d times", i, sig, n)
			}
		}
	}
}
