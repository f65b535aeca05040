package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/client"
	"selvedge/wire"
)

// Every call, against a core with real logs.
func TestAgainstACore(t *testing.T) {
	c, ctx := newCore(t), t.Context()
	version := uint64(7)
	user, err := c.PutUser(ctx, "ann/1", client.Document{Data: data(t, `{"name":"Ann"}`), Version: &version})
	if err != nil || *user.Version != 7 {
		t.Fatalf("%+v, %v", user, err)
	}
	older := version - 1
	if _, err := c.PutUser(ctx, "ann/1", client.Document{Data: data(t, `{}`), Version: &older}); !client.IsCode(err, wire.Conflict) {
		t.Errorf("an older version: %v", err)
	}
	if user, err = c.PatchUser(ctx, "ann/1", client.Document{Data: data(t, `{"away":true}`)}); err != nil || user.Data.String() != `{"away":true,"name":"Ann"}` {
		t.Errorf("%+v, %v", user, err)
	}
	if user, err = c.GetUser(ctx, "ann/1"); err != nil || *user.Version != 8 {
		t.Errorf("%+v, %v", user, err)
	}
	written, err := c.PutRooms(ctx, map[wire.RoomID]client.Document{"a": {Data: data(t, `{}`)}, "b": {Data: data(t, `{}`)}})
	if err != nil || !written["a"].Created || written["b"].Error != nil {
		t.Errorf("%+v, %v", written, err)
	}
	if _, err := c.PutUsers(ctx, map[wire.UserID]client.Document{"bob": {Data: data(t, `{}`)}}); err != nil {
		t.Error(err)
	}
	if _, err := c.PutRoom(ctx, "c", client.Document{Data: data(t, `{}`)}); err != nil {
		t.Error(err)
	}
	if room, err := c.PatchRoom(ctx, "c", client.Document{Data: data(t, `{"x":1}`)}); err != nil || room.Data.String() != `{"x":1}` {
		t.Errorf("%+v, %v", room, err)
	}
	changed, err := c.ChangeMembers(ctx, "a", []wire.UserID{"ann/1", "bob", "zoe"}, nil)
	if err != nil || changed.Added != 3 || changed.MemberCount != 3 {
		t.Errorf("%+v, %v", changed, err)
	}
	if changed, err = c.ReplaceMembers(ctx, "a", []wire.UserID{"bob", "zoe"}); err != nil || changed.Removed != 1 {
		t.Errorf("%+v, %v", changed, err)
	}
	if changed, err = c.ChangeUserRooms(ctx, "bob", []wire.RoomID{"b", "nowhere"}, []wire.RoomID{"a"}); err != nil || changed.Added != 1 || changed.Removed != 1 || changed.Failed[0].ID != "nowhere" {
		t.Errorf("%+v, %v", changed, err)
	}
	members, next, err := c.Members(ctx, "a", client.Page{Limit: 1})
	if diff := cmp.Diff([]wire.UserID{"zoe"}, members); diff != "" || next != "" || err != nil {
		t.Errorf("%s, next %q, %v", diff, next, err)
	}
	rooms, _, err := c.UserRooms(ctx, "bob", client.Page{})
	if diff := cmp.Diff([]wire.RoomID{"b"}, rooms); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	users, next, err := c.Users(ctx, client.Page{Limit: 1})
	if len(users) != 1 || users[0].ID != "ann/1" || next != "ann/1" || err != nil {
		t.Errorf("%+v, next %q, %v", users, next, err)
	}
	list, next, err := c.Rooms(ctx, client.Page{After: "a"})
	if len(list) != 2 || list[0].ID != "b" || list[0].MemberCount != 1 || next != "" || err != nil {
		t.Errorf("%+v, next %q, %v", list, next, err)
	}
	if err := c.DeleteRoom(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := c.GetRoom(ctx, "a"); !client.IsCode(err, wire.NotFound) {
		t.Errorf("a deleted room: %v", err)
	}
	if err := c.DeleteUser(ctx, "bob"); err != nil {
		t.Error(err)
	}
	if room, err := c.GetRoom(ctx, "b"); err != nil || room.MemberCount != 0 {
		t.Errorf("%+v, %v", room, err)
	}
	if cluster, err := c.Cluster(ctx); err != nil || cluster.Logs != 4 {
		t.Errorf("%+v, %v", cluster, err)
	}
}

func TestPublishAndHistory(t *testing.T) {
	c, ctx := newCore(t), t.Context()
	message := client.Message{Channel: "room:a/b", Data: data(t, `{"n":1}`), MsgID: "m"}
	first, err := c.Publish(ctx, message)
	if err != nil || first.Seq != 1 || first.Epoch != c.logs.Epoch() {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := c.Publish(ctx, message)
	if err != nil || again.Seq != 1 || !again.Duplicate {
		t.Errorf("%+v, %v", again, err)
	}
	message.Data = data(t, `{"n":2}`)
	if _, err := c.Publish(ctx, message); !client.IsCode(err, wire.Conflict) {
		t.Errorf("the id for something else: %v", err)
	}
	results, err := c.PublishBatch(ctx, []client.Message{{Channel: "room:a/b", Data: data(t, `3`)}, message, {Channel: "room:a/b", Data: data(t, `4`)}, {Channel: "topic:x", Data: data(t, `5`)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []wire.Code{"", wire.Conflict, wire.Unavailable, ""} {
		if code == "" && results[i].Err != nil || code != "" && !client.IsCode(results[i].Err, code) {
			t.Errorf("item %d: %+v", i, results[i])
		}
	}
	page, err := c.History(ctx, "room:a/b", client.Span{FromStart: true, Limit: 1})
	if err != nil || len(page.Frames) != 1 || page.Next != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = c.History(ctx, "room:a/b", client.Span{After: page.Next})
	if err != nil || len(page.Frames) != 1 || !strings.Contains(page.Frames[0].String(), `"data":3`) {
		t.Errorf("%+v, %v", page, err)
	}
}

// flaky answers the first n requests as broken does, and then with answer.
func flaky(t *testing.T, n int32, broken http.HandlerFunc, answer string) (*client.Client, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) <= n {
			broken(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &client.Client{BaseURL: server.URL, Key: "k", HTTP: &http.Client{Transport: transport}, Pause: time.Microsecond}, &calls
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"error":{"code":"unavailable","message":"full"}}`)
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// A publish is repeated only if its id makes that harmless.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken http.HandlerFunc
		msgID  string
		fails  int32
		calls  int32
		ok     bool
	}{
		{"503 with an id", unavailable, "m", 2, 3, true},
		{"503 without", unavailable, "", 2, 1, false},
		{"cut with an id", cut, "m", 2, 3, true},
		{"cut without", cut, "", 2, 1, false},
		{"503 for too long", unavailable, "m", 100, 5, false},
		{"400 with an id", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, "m", 100, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, calls := flaky(t, c.fails, c.broken, `{"p":1,"seq":2}`)
			placed, err := cl.Publish(t.Context(), client.Message{Channel: "room:x", Data: data(t, `1`), MsgID: c.msgID})
			if (err == nil) != c.ok || c.ok && placed.Seq != 2 || calls.Load() != c.calls {
				t.Errorf("%+v, %v after %d calls", placed, err, calls.Load())
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
		})
	}
}

func TestABatchRepeatsWhatWasNotTaken(t *testing.T) {
	cl, calls := flaky(t, 1, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"results":[{"p":1,"seq":1},{"error":{"code":"unavailable","message":"full"}},{"error":{"code":"unavailable","message":"full"}},{"error":{"code":"unavailable","message":"not attempted"}}]}`)
	}, `{"results":[{"p":1,"seq":2}]}`)
	results, err := cl.PublishBatch(t.Context(), []client.Message{
		{Channel: "room:a", Data: data(t, `1`), MsgID: "1"},
		{Channel: "room:a", Data: data(t, `2`), MsgID: "2"},
		{Channel: "room:b", Data: data(t, `3`)},
		{Channel: "room:b", Data: data(t, `4`), MsgID: "4"},
	})
	if err != nil || calls.Load() != 2 {
		t.Fatalf("%v after %d calls", err, calls.Load())
	}
	// The last one has an id, but the one before it has none.
	for i, ok := range []bool{true, true, false, false} {
		if (results[i].Err == nil) != ok {
			t.Errorf("item %d: %+v", i, results[i])
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	notFound, _ := flaky(t, 100, http.NotFound, "")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, c := range []struct {
		cl   *client.Client
		want string
	}{
		{&client.Client{BaseURL: "127.0.0.1:7400"}, `"127.0.0.1:7400" is no address of a core: use a URL such as http://127.0.0.1:7400`},
		{&client.Client{BaseURL: closed.URL, Retries: -1}, "is a core running there?"},
		{notFound, "is this the API port of a core?"},
	} {
		_, err := c.cl.GetUser(t.Context(), "u")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want …%s", err, c.want)
		}
	}
	var typed *client.Error
	if _, err := notFound.GetUser(t.Context(), "u"); !errors.As(err, &typed) || typed.Status != 404 {
		t.Errorf("got %v", fmt.Sprint(typed))
	}
}
