package cluster

import (
	"slices"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// publishers is how many publish while a node is told to stop.
const publishers = 200

// settle does what is harmless to repeat until it is done: three cores that have
// just started may have leaders to elect.
func settle(t *testing.T, do func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := do()
		if err == nil {
			return
		}
		if !backend.IsCode(err, wire.Unavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// rooms makes a room for each publisher, with these members.
func rooms(t *testing.T, core *fleet.Node, book *ledger.Ledger, n int, members ...wire.UserID) {
	t.Helper()
	api := &backend.Client{BaseURL: core.URL, Key: identity.DevAPIKey}
	for i := range n {
		settle(t, func() error {
			_, err := api.PutRoom(t.Context(), roomOf(i), backend.Document{Data: object(t, `{}`)})
			return err
		})
		settle(t, func() error {
			_, err := api.ChangeMembers(t.Context(), roomOf(i), members, nil)
			return err
		})
		for _, m := range members {
			book.Expect(string(m), wire.RoomChannel(roomOf(i)))
		}
	}
}

// A core that is told to stop answers everybody who is publishing: with a place, or
// with 503. No connection is cut under a publish, it ends with status 0, and what it
// acknowledged is delivered when it is back.
func TestStoppedCoreAnswersEveryPublish(t *testing.T) {
	f := startFleet(t, "us-east")
	book := ledger.New()
	rooms(t, f.Core, book, publishers, "u1")
	l := listen(t, "u1", nil, f.Edges[0].URL)
	next(t, "welcome", l.welcome)
	account(t, book, "u1", l)
	b := newBackends(t, book, publishers, 0, f.Core.URL)
	b.await(5 * publishers)
	gone := unready(t, f.Core)
	if err := f.Core.Stop(); err != nil {
		t.Errorf("the core ended with %v", err)
	}
	if took := next(t, "503 of readyz", gone); took > time.Second {
		t.Errorf("readyz was 200 for %v after the signal", took)
	}
	b.all.Wait()
	t.Logf("%d acknowledged, %d refused, %d came too late", b.acked, b.refused, b.nobody)
	if len(b.bad) > 0 || b.refused+b.nobody != publishers {
		t.Errorf("%d publishers were refused, %d found nobody, of %d; %d were cut: %q", b.refused, b.nobody, publishers, len(b.bad), head(b.bad))
	}
	if b.refused < publishers*9/10 {
		t.Errorf("only %d of %d were told that the core is stopping", b.refused, publishers)
	}
	if err := f.StartCore(t.Context()); err != nil {
		t.Fatal(err)
	}
	complete(t, book)
}

// One of three cores that is told to stop, under load: nothing is lost, nobody is
// cut, and the edge has taken its logs from others before. How long anybody waited is
// shown, not judged: it is the machine's matter, too (TestHandOver in core/log sees
// that nobody has to wait for an election).
func TestStoppedCoreOfThree(t *testing.T) {
	const callers, sockets = 40, 20
	f := startFleetOf(t, fleet.Config{Cores: 3, CoreFlags: []string{"--replicas", "3"}, Regions: []string{"us-east"}})
	book := ledger.New()
	rooms(t, f.Core, book, callers+sockets, "u1")
	l := listen(t, "u1", nil, f.Edges[0].URL)
	next(t, "welcome", l.welcome)
	account(t, book, "u1", l)
	talk := newTalkers(t, book, slices.Repeat([]*listener{l}, sockets), callers, 50*time.Millisecond)
	b := newBackends(t, book, callers, 50*time.Millisecond, f.Cores[0].URL, f.Cores[1].URL, f.Cores[2].URL)
	b.await(10 * callers)
	stops := f.Cores[1]
	gone := unready(t, stops)
	if err := stops.Stop(); err != nil {
		t.Errorf("the core ended with %v", err)
	}
	if took := next(t, "503 of readyz", gone); took > time.Second {
		t.Errorf("readyz was 200 for %v after the signal", took)
	}
	b.await(b.count() + 10*callers)
	b.stop()
	talk.stop()
	t.Logf("%d acknowledged, %d refused, %d found nobody; the longest pause was %v; over sockets %d acknowledged, %d refused, the longest pause %v",
		b.acked, b.refused, b.nobody, b.longest, talk.acked, talk.refused, talk.longest)
	if len(b.bad) > 0 {
		t.Errorf("%d publishes were cut: %q", len(b.bad), head(b.bad))
	}
	if len(talk.bad) > 0 || l.cuts.Load() > 0 {
		t.Errorf("over sockets %d failed, and %d connections were cut: %q", len(talk.bad), l.cuts.Load(), head(talk.bad))
	}
	complete(t, book)
	// The edge was told before the links were closed: it left in order.
	is, err := fleet.ReadMetrics(t.Context(), f.Edges[0].Admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{"left", "gone"} {
		if n, told := is[`selvedge_link_resumes_total{reason="`+why+`"}`]; n != 0 || !told {
			t.Errorf("%v logs were opened again for %q", n, why)
		}
	}
	if is[`selvedge_link_resumes_total{reason="moved"}`] == 0 {
		t.Error("no log has moved: the core served none")
	}
}
