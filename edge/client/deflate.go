package client

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"selvedge/edge/websocket"
)

// offer is what a client that compresses asks an edge for (RFC 7692): that
// each message stands for itself, so that nothing is kept between them.
var offer = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}

// agreed says whether messages may be compressed: the edge took the offer, as
// it was made. It may name the size of its window, which is no more than ours.
func agreed(handshake *ws.Handshake) (bool, error) {
	if len(handshake.Extensions) == 0 {
		return false, nil
	}
	var p wsflate.Parameters
	if err := p.Parse(handshake.Extensions[0]); err != nil {
		return false, err
	}
	if len(handshake.Extensions) > 1 || !p.ServerNoContextTakeover || p.ClientMaxWindowBits != 0 {
		return false, fmt.Errorf("extensions %v were not offered so", handshake.Extensions)
	}
	return true, nil
}

// inflate is a compressed message in plain, valid until the next call.
func (s *socket) inflate(message []byte) ([]byte, error) {
	if cap(s.inflated) > keepBuffer {
		s.inflated = nil
	}
	plain, err := websocket.AppendInflated(s.inflated[:0], message, maxMessage)
	switch {
	case errors.Is(err, websocket.ErrTooLarge):
		return nil, fmt.Errorf("%w: a message of more than %d bytes", errDefect, maxMessage)
	case err != nil:
		return nil, fmt.Errorf("%w: a compressed message is broken", errDefect)
	}
	s.inflated = plain
	return plain, nil
}
