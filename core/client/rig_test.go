package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"selvedge/core/api"
	"selvedge/core/client"
	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/internal/identity"
	"selvedge/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// core is what a backend talks to: real logs, the real view and the real API.
type core struct {
	*client.Client
	url  string
	logs *corelog.Store
}

func newCore(t testing.TB) *core {
	t.Helper()
	dir := t.TempDir()
	store, err := corelog.Open(t.Context(), corelog.Config{Dir: filepath.Join(dir, "logs"), Logs: 4, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	view, err := directory.Open(directory.Config{Dir: filepath.Join(dir, "directory"), Epoch: store.Epoch()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var follower sync.WaitGroup
	follower.Go(func() {
		err := store.Follow(ctx, wire.StateLog, view.Applied(), func(stored []corelog.Stored) error {
			records := make([]wire.StateRecord, len(stored))
			for i, s := range stored {
				records[i] = *s.State
			}
			return view.Apply(records)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("follow: %v", err)
		}
	})
	server := httptest.NewServer(api.New(api.Config{
		Publisher: store,
		Directory: &directory.Writer{View: view, Log: store, End: store.End, Logs: store.Logs()},
		History: func(ctx context.Context, ch wire.Channel, _, after *wire.Seq, limit int) (api.HistoryPage, error) {
			var from wire.Seq
			if after != nil {
				from = *after
			}
			frames, more, err := store.ReadChannel(ctx, ch, from, 0, limit, 1<<20)
			page := api.HistoryPage{Last: store.End(wire.LogOf(ch, store.Logs()))}
			for _, f := range frames {
				page.Frames = append(page.Frames, wire.AppendFrame(nil, wire.LogOf(ch, store.Logs()), f.Seq, 0, f.Body))
				if more {
					page.Next = f.Seq
				}
			}
			return page, err
		},
		Keys:    identity.DevAPIKeys(),
		Cluster: func() any { return map[string]int{"logs": 4} },
		Epoch:   store.Epoch(),
		Logs:    store.Logs(),
	}))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		stop()
		follower.Wait()
		if err := errors.Join(view.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return &core{
		Client: &client.Client{BaseURL: server.URL, Key: identity.DevAPIKey, HTTP: &http.Client{Transport: transport}},
		url:    server.URL,
		logs:   store,
	}
}

func data(t testing.TB, text string) wire.Data {
	t.Helper()
	d, err := wire.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
