package websocket

import (
	"bufio"
	"crypto/sha1" // what RFC 6455 asks for; it protects nothing
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"selvedge/wire"
)

const (
	keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	keySize = 16
	version = "13"
	// answerTime bounds the write of the answer, which fits any socket's buffer.
	answerTime = 5 * time.Second
)

// Upgrader says whom to upgrade. The zero value accepts requests without an
// Origin and those from pages of the host that was asked.
type Upgrader struct {
	// CheckOrigin says whether a page of origin may connect. It isn't asked
	// for requests without an Origin header: they are not a browser's. nil =
	// same host.
	CheckOrigin func(origin string, r *http.Request) bool
}

// refusal is an answer that is not an upgrade.
type refusal struct {
	status  int
	code    wire.Code
	message string
	header  [2]string // one more field of the answer
}

func (r *refusal) Error() string { return "websocket: upgrade refused: " + r.message }

// Upgrade makes r's connection a WebSocket: conn without any deadline, the
// bytes of the client that were read already, and the codec that was agreed on.
// On an error the client has its answer, or is gone.
func (u Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (conn net.Conn, early []byte, codec wire.Codec, err error) {
	codec, protocol, err := u.check(r)
	if err != nil {
		answer(w, err)
		return nil, nil, 0, err
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		err = fmt.Errorf("websocket: take over the connection: %w", err)
		answer(w, err)
		return nil, nil, 0, err
	}
	if early, err = accept(conn, rw.Reader, r.Header.Get("Sec-WebSocket-Key"), protocol); err != nil {
		_ = conn.Close()
		return nil, nil, 0, fmt.Errorf("websocket: answer upgrade: %w", err)
	}
	return conn, early, codec, nil
}

// accept writes the answer and empties what was read ahead.
func accept(conn net.Conn, ahead *bufio.Reader, key, protocol string) ([]byte, error) {
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(key + keyGUID))
	b := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	if protocol != "" {
		b = append(append(b, "\r\nSec-WebSocket-Protocol: "...), protocol...)
	}
	if _, err := conn.Write(append(b, "\r\n\r\n"...)); err != nil {
		return nil, err
	}
	// Read deadlines of the HTTP server would end the socket later.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if ahead.Buffered() == 0 {
		return nil, nil
	}
	early := make([]byte, ahead.Buffered())
	_, err := ahead.Read(early)
	return early, err
}

// check is RFC 6455, section 4.2.1.
func (u Upgrader) check(r *http.Request) (codec wire.Codec, protocol string, err error) {
	hint := "this is a WebSocket: connect with a WebSocket client (GET, Upgrade: websocket, Sec-WebSocket-Version: 13)"
	key, keyErr := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	origin := r.Header.Get("Origin")
	codec, protocol, known := negotiate(r.Header.Values("Sec-WebSocket-Protocol"))
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		err = &refusal{status: http.StatusBadRequest, message: "WebSockets are served over HTTP/1.1, not " + r.Proto}
	case r.Method != http.MethodGet:
		err = &refusal{status: http.StatusMethodNotAllowed, code: wire.MethodNotAllowed, message: hint, header: [2]string{"Allow", "GET"}}
	case !hasToken(r.Header.Values("Connection"), "upgrade") || !hasToken(r.Header.Values("Upgrade"), "websocket"):
		err = &refusal{status: http.StatusUpgradeRequired, message: hint, header: [2]string{"Upgrade", "websocket"}}
	case r.Header.Get("Sec-WebSocket-Version") != version:
		err = &refusal{
			status:  http.StatusUpgradeRequired,
			message: fmt.Sprintf("Sec-WebSocket-Version is %q: only 13 is spoken here", r.Header.Get("Sec-WebSocket-Version")),
			header:  [2]string{"Sec-WebSocket-Version", version},
		}
	case keyErr != nil || len(key) != keySize || len(r.Header.Values("Sec-WebSocket-Key")) != 1:
		err = &refusal{
			status:  http.StatusBadRequest,
			message: fmt.Sprintf("Sec-WebSocket-Key is %q: it must be 16 random bytes in base64", r.Header.Get("Sec-WebSocket-Key")),
		}
	case origin != "" && !u.allows(origin, r):
		err = &refusal{
			status: http.StatusForbidden, code: wire.Forbidden,
			message: fmt.Sprintf("origin %q is not allowed: add it to allowed_origins", origin),
		}
	case !known:
		err = &refusal{
			status: http.StatusBadRequest,
			message: fmt.Sprintf("Sec-WebSocket-Protocol is %q: offer %s or %s, or none for JSON",
				strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ", "), wire.Msgpack.Subprotocol(), wire.JSON.Subprotocol()),
		}
	}
	return codec, protocol, err
}

func (u Upgrader) allows(origin string, r *http.Request) bool {
	if u.CheckOrigin != nil {
		return u.CheckOrigin(origin, r)
	}
	at, err := url.Parse(origin)
	return err == nil && strings.EqualFold(at.Host, r.Host)
}

// negotiate takes the first subprotocol that is ours; none offered is JSON.
func negotiate(fields []string) (codec wire.Codec, protocol string, known bool) {
	none := true
	for _, field := range fields {
		for offer := range strings.SplitSeq(field, ",") {
			if offer = strings.TrimSpace(offer); offer == "" {
				continue
			}
			none = false
			for c := range wire.Codecs {
				if offer == c.Subprotocol() {
					return c, offer, true
				}
			}
		}
	}
	return wire.JSON, "", none
}

// hasToken says whether a field, a list of tokens, has token in any case.
func hasToken(fields []string, token string) bool {
	for _, field := range fields {
		for t := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// answer tells the client why not, in the form of all the API's errors.
func answer(w http.ResponseWriter, err error) {
	ref := &refusal{status: http.StatusInternalServerError, code: wire.Internal, message: "this connection can't become a WebSocket"}
	if errors.As(err, &ref) && ref.code == "" {
		ref.code = wire.BadRequest
	}
	type body struct {
		Code    wire.Code `json:"code"`
		Message string    `json:"message"`
	}
	b, _ := json.Marshal(map[string]body{"error": {ref.code, ref.message}}) // strings: it can't fail
	h := w.Header()
	if ref.header[0] != "" {
		h.Set(ref.header[0], ref.header[1])
		if ref.status == http.StatusUpgradeRequired {
			h.Set("Connection", "Upgrade")
		}
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(ref.status)
	_, _ = w.Write(append(b, '\n'))
}
