package api

import (
	"log/slog"
	"net/http"

	"selvedge/wire"
)

// Waiting is the API of a core whose logs are not open yet: every call is answered
// with unavailable (503) and Retry-After. Safe for concurrent use.
func Waiting() http.Handler {
	return refusing("waiting", &problem{
		Code: wire.Unavailable, Message: "this core waits for its logs: try another one, or again later; its admin port's /readyz says for what",
	})
}

// Stopping is the same of a core that stops.
func Stopping() http.Handler {
	return refusing("stopping", &problem{Code: wire.Unavailable, Message: "this core is stopping: ask another one, or again", again: 2})
}

func refusing(name string, why *problem) http.Handler {
	a := &api{Config: Config{Logger: slog.New(slog.DiscardHandler)}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(newRequest(w, r), name, why)
	})
}
