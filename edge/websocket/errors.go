package websocket

import (
	"fmt"

	"selvedge/wire"
)

// Error is a breach of the protocol by the peer. Code is what to close with.
type Error struct {
	Code   wire.CloseCode
	Reason string // short and fixed: fit for a close frame
}

func (e *Error) Error() string { return fmt.Sprintf("websocket: %s (close code %d)", e.Reason, e.Code) }

// What Feed fails with.
var (
	ErrReserved     = &Error{wire.CloseProtocol, "reserved bits are set"}
	ErrOpcode       = &Error{wire.CloseProtocol, "unknown opcode"}
	ErrUnmasked     = &Error{wire.CloseProtocol, "frame of a client is not masked"}
	ErrMasked       = &Error{wire.CloseProtocol, "frame of a server is masked"}
	ErrControl      = &Error{wire.CloseProtocol, "control frame is fragmented or over 125 bytes"}
	ErrContinuation = &Error{wire.CloseProtocol, "continuation without a message to continue"}
	ErrInterleaved  = &Error{wire.CloseProtocol, "new message inside a fragmented one"}
	ErrLength       = &Error{wire.CloseProtocol, "length is not in its shortest form"}
	ErrCloseCode    = &Error{wire.CloseProtocol, "invalid close code"}
	ErrDeflate      = &Error{wire.CloseBadUTF8, "compressed message is broken"}
	ErrUTF8         = &Error{wire.CloseBadUTF8, "text is not UTF-8"}
	ErrTooLarge     = &Error{wire.CloseTooLarge, "message is too large"}
	// ErrSpent is returned for bytes after another error: nobody can say where
	// the next frame begins.
	ErrSpent = &Error{wire.CloseProtocol, "bytes after a protocol error"}
)
