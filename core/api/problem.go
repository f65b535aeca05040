package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// problem is an error as its caller reads it.
type problem struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
	Field   string    `json:"field,omitempty"`
	allow   string    // of a 405
	again   int       // of a 503: in how many seconds; 0 = retryAfter
}

func (p *problem) Error() string { return p.Message }

// failure is the body of an answer that is an error.
type failure struct {
	Error *problem `json:"error"`
}

// bad blames a field ("" = none) of a request.
func bad(field, format string, args ...any) *problem {
	return &problem{Code: wire.BadRequest, Message: fmt.Sprintf(format, args...), Field: field}
}

// at says in which part of a request the problem is.
func (p *problem) at(place string) *problem {
	q := *p
	q.Field = place
	if p.Field != "" {
		q.Field += "." + p.Field
	}
	return &q
}

// status is the HTTP status of a code.
func (p *problem) status() int {
	switch p.Code {
	case wire.BadRequest:
		return http.StatusBadRequest
	case wire.Unauthorized:
		return http.StatusUnauthorized
	case wire.Forbidden:
		return http.StatusForbidden
	case wire.NotFound:
		return http.StatusNotFound
	case wire.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case wire.Conflict:
		return http.StatusConflict
	case wire.TooLarge:
		return http.StatusRequestEntityTooLarge
	case wire.Unsupported:
		return http.StatusUnsupportedMediaType
	case wire.RateLimited:
		return http.StatusTooManyRequests
	case wire.Unavailable:
		return http.StatusServiceUnavailable
	case wire.Internal:
	}
	return http.StatusInternalServerError
}

// asProblem puts any error into a caller's words. What is not the caller's
// affair is "internal", and known is false: it belongs in the core's own log.
func asProblem(err error) (_ *problem, known bool) {
	if p, ok := errors.AsType[*problem](err); ok {
		return p, true
	}
	say := func(code wire.Code) (*problem, bool) { return &problem{Code: code, Message: err.Error()}, true }
	switch {
	case errors.Is(err, wire.ErrTooLarge), errors.Is(err, corelog.ErrTooLarge):
		return say(wire.TooLarge)
	case errors.Is(err, corelog.ErrIDReused):
		return &problem{Code: wire.Conflict, Message: "msg_id was used before with other content: a retry must repeat the request", Field: "msg_id"}, true
	case errors.Is(err, directory.ErrVersion):
		return &problem{Code: wire.Conflict, Message: err.Error(), Field: "version"}, true
	case errors.Is(err, directory.ErrContended):
		return say(wire.Unavailable)
	case errors.Is(err, directory.ErrNotFound):
		return say(wire.NotFound)
	case errors.Is(err, directory.ErrNotObject):
		return bad("data", "data must be a JSON object"), true
	case errors.Is(err, corelog.ErrUnavailable), errors.Is(err, directory.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &problem{Code: wire.Unavailable, Message: "the log does not take this now: try again with the same msg_id; if it lasts, look at the core's log"}, true
	}
	return &problem{Code: wire.Internal, Message: "the core failed: look at its log"}, false
}
