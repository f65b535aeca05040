package client

import (
	"errors"
	"fmt"

	"selvedge/wire"
)

// Errors of requests and of Run.
var (
	// ErrNotConnected: a signal was not sent, since no edge is connected.
	ErrNotConnected = errors.New("not connected to an edge")
	// ErrClosed: the client's Run has ended, and answers no more.
	ErrClosed = errors.New("the client is closed")
	// ErrUnknownOutcome: a publish was sent, the connection was cut, and by the
	// time of the next one its msg_id may be forgotten: to send it again might
	// publish it twice.
	ErrUnknownOutcome = errors.New("outcome unknown: the connection was cut for too long to repeat the publish safely; read the channel's history")
)

// Why a connection ended, if this side ended it.
var (
	errDefect  = errors.New("malformed message from the edge")
	errSilent  = errors.New("the edge does not answer")
	errLeaving = errors.New("the edge asked to move")
	errHole    = errors.New("a frame is missing")
	errPaced   = errors.New("all edges that are known ask to be left alone for now") // nothing was begun
)

// RefusedError ends Run: to try again would change nothing.
type RefusedError struct {
	Code   wire.CloseCode // 4001, 4002, 4003 or 4004
	Reason string         // the edge's words, may be empty
}

func (e *RefusedError) Error() string {
	reason := ""
	if e.Reason != "" {
		reason = ": " + e.Reason
	}
	var what string
	switch e.Code {
	case wire.CloseUnauthorized:
		what = "the edge refused the token%s (%d): get another one, signed with a key that the edge knows"
	case wire.CloseExpired:
		what = "the token expired%s (%d), and no newer one was given: get another one"
	case wire.CloseForbidden:
		what = "the edge refuses this user%s (%d): ask whoever runs the application"
	default:
		what = "the edge could not read a message of this client%s (%d): use versions of client and edge that match"
	}
	return fmt.Sprintf(what, reason, e.Code)
}

// RequestError is an edge's answer to a request that it did not fulfil, or what
// it has to say about the session.
type RequestError struct {
	Code    wire.Code
	Message string
}

func (e *RequestError) Error() string { return string(e.Code) + ": " + e.Message }

// closeError is a close frame of the edge. Code 0 = the connection was cut.
type closeError struct {
	code   wire.CloseCode
	reason string
}

func (e *closeError) Error() string {
	if e.reason == "" {
		return fmt.Sprintf("the edge closed the connection (%d)", e.code)
	}
	return fmt.Sprintf("the edge closed the connection (%d: %s)", e.code, e.reason)
}

// ours reports whether the close blames this package.
func (e *closeError) ours() bool {
	switch e.code {
	case wire.CloseProtocol, wire.CloseWrongType, wire.CloseBadUTF8, wire.CloseTooLarge:
		return true
	default:
		return false
	}
}

// final reports whether no further attempt would change anything.
func (e *closeError) final() bool {
	switch e.code {
	case wire.CloseUnauthorized, wire.CloseForbidden, wire.CloseMalformed:
		return true
	default:
		return false
	}
}
