package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// An answer is not older than the asker's marker (rule 8).
func TestAnswerWaitsForTheView(t *testing.T) {
	c := start(t, nil)
	c.room("r", `{}`)
	next := c.view.Applied() + 1
	got := make(chan *wire.Answer, 1)
	go func() {
		got <- c.Query(t.Context(), "edge", &wire.Query{T: wire.QMembers, P: wire.StateLog, Room: "r"}, next)
	}()
	if _, err := c.writer.Members(t.Context(), "r", directory.MembersChange{Add: []wire.UserID{"u1"}}); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.Err != nil || a.V < next || !slices.Equal(a.Members, []wire.UserID{"u1"}) || a.MemberCount != 1 {
		t.Errorf("the answer is %+v, want one at %d or later", a, next)
	}
}

// Nor than the state position that the asker names, whatever the query.
func TestAnswerWaitsForAPosition(t *testing.T) {
	c := start(t, nil)
	c.room("r", `{}`)
	next := c.view.Applied() + 1
	got := make(chan *wire.Answer, 1)
	go func() {
		got <- c.Query(t.Context(), "edge", &wire.Query{T: wire.QHello, Users: []wire.UserID{"u1"}, V: next}, 0)
	}()
	if _, err := c.writer.Members(t.Context(), "r", directory.MembersChange{Add: []wire.UserID{"u1"}}); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.Err != nil || a.V < next || len(c.hellos(a)[0].Memberships) != 1 {
		t.Errorf("the answer is %+v, want one at %d or later", a, next)
	}
}

// A position of another log says nothing about the view.
func TestAnswerWaitsForNoOtherLog(t *testing.T) {
	c := start(t, nil)
	if a := c.Query(t.Context(), "edge", &wire.Query{T: wire.QRooms, P: 1, User: "u"}, 1<<40); a.Err != nil {
		t.Errorf("the answer is %+v", a.Err)
	}
}

// A view that doesn't get there is said, in seconds, as a passing fault.
func TestAnswerGivesUpOnTheView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faked(t, &fakeLog{}, 0)
		for _, q := range []struct {
			query   wire.Query
			applied wire.Seq
		}{
			{wire.Query{T: wire.QRoom, P: wire.StateLog, Room: "r"}, 9},
			{wire.Query{T: wire.QHello, Users: []wire.UserID{"u"}, V: 9}, 0},
		} {
			began := time.Now()
			a := f.Query(t.Context(), "edge", &q.query, q.applied)
			if a.Err == nil || a.Err.Code != wire.Unavailable || time.Since(began) > 10*time.Second {
				t.Errorf("%s: answer %+v after %v", q.query.T, a, time.Since(began))
			}
		}
	})
}

func TestGetShowsWhatTheAskerMaySee(t *testing.T) {
	c := start(t, nil)
	for _, u := range []wire.UserID{"me", "friend", "stranger"} {
		c.user(u, `{"u":1}`)
	}
	c.room("ours", `{"r":1}`, "me", "friend", "ghost")
	c.room("theirs", `{"r":2}`, "stranger")
	a := c.ask(&wire.Query{T: wire.QGet, User: "me", Keys: []string{
		"user:me", "user:friend", "user:stranger", "user:ghost", "user:none", "room:ours", "room:theirs", "room:none",
		"topic:x", "user:", "room", "", "room:ours\x00me", "user:\xff",
	}})
	seen := map[string]string{}
	for key, o := range a.Objects {
		if seen[key] = o.Data.String(); o.V == 0 {
			t.Errorf("%s has no version", key)
		}
	}
	if diff := cmp.Diff(map[string]string{"user:me": `{"u":1}`, "user:friend": `{"u":1}`, "room:ours": `{"r":1}`}, seen); diff != "" {
		t.Errorf("(-visible +got):\n%s", diff)
	}
	if len(a.Missing) != 11 {
		t.Errorf("missing %q", a.Missing)
	}
}

// What does not fit into one reply is not called missing: it exists.
func TestGetOfLargeDocuments(t *testing.T) {
	c := start(t, nil)
	large := fmt.Sprintf(`{"d":%q}`, strings.Repeat("x", 700_000))
	c.room("a", large, "me")
	c.room("b", large, "me")
	a := c.ask(&wire.Query{T: wire.QGet, User: "me", Keys: []string{"room:none", "room:a", "room:b", "room:c"}})
	if len(a.Objects) != 1 || a.Objects["room:a"].V == 0 || a.Next != "room:b" || !slices.Equal(a.Missing, []string{"room:none"}) {
		t.Errorf("%d objects, next %q, missing %q", len(a.Objects), a.Next, a.Missing)
	}
}

func TestPublishSetsTimeAndPublisher(t *testing.T) {
	var publisher string
	var post wire.Post
	c := start(t, func(_ *corelog.Config, fc *feed.Config) {
		fc.Publish = func(_ context.Context, who string, p *wire.Post) (corelog.Placed, error) {
			publisher, post = who, *p
			return corelog.Placed{P: 1, Seq: 7}, nil
		}
	})
	began := time.Now().UnixMilli()
	a := c.ask(&wire.Query{T: wire.QPublish, Ch: "room:r", From: "u1", MsgID: "m", Refs: []string{"u2"}, Data: wire.Data{0xc3}})
	if a.P != 1 || a.Seq != 7 || a.Epoch != c.log.Epoch() {
		t.Errorf("placed at %d:%d of %q", a.P, a.Seq, a.Epoch)
	}
	if post.TS < began || post.TS > time.Now().UnixMilli() {
		t.Errorf("ts %d, want now", post.TS)
	}
	post.TS = 0
	if diff := cmp.Diff(wire.Post{Ch: "room:r", From: "u1", MsgID: "m", Refs: []string{"u2"}, Data: wire.Data{0xc3}}, post); diff != "" || publisher != "user:u1" {
		t.Errorf("published by %q (-asked +got):\n%s", publisher, diff)
	}
}

func TestFailuresHaveStableCodes(t *testing.T) {
	var publishErr error
	c := start(t, func(_ *corelog.Config, fc *feed.Config) {
		fc.Publish = func(context.Context, string, *wire.Post) (corelog.Placed, error) { return corelog.Placed{}, publishErr }
	})
	publish := &wire.Query{T: wire.QPublish, Ch: "room:r", From: "u1", Data: wire.Data{0xc3}}
	for name, q := range map[string]struct {
		query *wire.Query
		err   error
		want  wire.Code
	}{
		"unknown query":    {&wire.Query{T: "dance"}, nil, wire.BadRequest},
		"hello of nobody":  {&wire.Query{T: wire.QHello, User: "u"}, nil, wire.BadRequest},
		"hello of many":    {&wire.Query{T: wire.QHello, Users: slices.Repeat([]wire.UserID{"u"}, wire.MaxHellos+1)}, nil, wire.BadRequest},
		"hello of no one":  {&wire.Query{T: wire.QHello, Users: []wire.UserID{"u", "a\x00b"}}, nil, wire.BadRequest},
		"no such room":     {&wire.Query{T: wire.QRoom, Room: "none"}, nil, wire.NotFound},
		"members of none":  {&wire.Query{T: wire.QMembers, Room: "none"}, nil, wire.NotFound},
		"uneven fill":      {&wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r"}}, nil, wire.BadRequest},
		"fill of no one":   {&wire.Query{T: wire.QFill, Chs: []wire.Channel{"x"}, Afters: []wire.Seq{0}, Uptos: []wire.Seq{0}}, nil, wire.BadRequest},
		"fill of future":   {&wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r"}, Afters: []wire.Seq{0}, Uptos: []wire.Seq{9}}, nil, wire.Unavailable},
		"history of no ch": {&wire.Query{T: wire.QHistory, Ch: "room"}, nil, wire.BadRequest},
		"no data":          {&wire.Query{T: wire.QPublish, Ch: "room:r"}, nil, wire.BadRequest},
		"too much data":    {&wire.Query{T: wire.QPublish, Ch: "room:r", Data: make(wire.Data, wire.MaxData+1)}, nil, wire.TooLarge},
		"bad ref":          {&wire.Query{T: wire.QPublish, Ch: "room:r", Data: wire.Data{0xc3}, Refs: []string{""}}, nil, wire.BadRequest},
		"reused id":        {publish, corelog.ErrIDReused, wire.Conflict},
		"full disk":        {publish, corelog.ErrUnavailable, wire.Unavailable},
		"large record":     {publish, corelog.ErrTooLarge, wire.TooLarge},
		"anything else":    {publish, errors.New("secret"), wire.Unavailable},
	} {
		publishErr = q.err
		a := c.Query(t.Context(), "edge", q.query, 0)
		if a.Err == nil || a.Err.Code != q.want || a.Err.Message == "" || strings.Contains(a.Err.Message, "secret") {
			t.Errorf("%s: %+v, want %s", name, a.Err, q.want)
		}
	}
	for _, limit := range []int{-1, 0, 1 << 30} { // an edge's bad limit is no reason to fall over
		c.ask(&wire.Query{T: wire.QRooms, User: "u", Limit: limit})
	}
}
