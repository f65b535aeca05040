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
	// Deflate takes a client's offer to compress messages (RFC 7692). false =
	// offers are not taken.
	Deflate bool
}

// refusal is an answer that is not an upgrade.
type refusal struct {
	status  int
	code    wire.Code
	message string
	header  [2]string // one more field of the answer
}

func (r *refusal) Error() string { return "websocket: upgrade refused: " + r.message }

// Agreement is what a client and this server agreed on as they shook hands.
type Agreement struct {
	Codec wire.Codec
	// Deflate: messages, each for itself, may be compressed both ways.
	Deflate bool

	bits          bool // the answer names our window's size
	key, protocol string
}

// Check reports what r's client and this server agree on, or why r is no
// upgrade that is taken. It answers nothing.
func (u Upgrader) Check(r *http.Request) (Agreement, error) {
	a := Agreement{key: r.Header.Get("Sec-WebSocket-Key")}
	err := u.check(r, &a)
	return a, err
}

// AppendAnswer appends the answer that makes the connection a WebSocket (RFC
// 6455, section 4.2.2).
func (a Agreement) AppendAnswer(dst []byte) []byte {
	sum := sha1.Sum([]byte(a.key + keyGUID))
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if a.protocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), a.protocol...)
	}
	if a.Deflate {
		if dst = append(dst, deflateAnswer...); a.bits {
			dst = append(dst, bitsAnswer...)
		}
	}
	return append(dst, "\r\n\r\n"...)
}

// Upgrade makes r's connection a WebSocket: conn without any deadline, the
// bytes of the client that were read already, and what was agreed on.
// On an error the client has its answer, or is gone.
func (u Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (conn net.Conn, early []byte, a Agreement, err error) {
	a, err = u.Check(r)
	if err != nil {
		answer(w, err)
		return nil, nil, a, err
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		err = fmt.Errorf("websocket: take over the connection: %w", err)
		answer(w, err)
		return nil, nil, a, err
	}
	if early, err = accept(conn, rw.Reader, a); err != nil {
		_ = conn.Close()
		return nil, nil, a, fmt.Errorf("websocket: answer upgrade: %w", err)
	}
	return conn, early, a, nil
}

// accept writes the answer and empties what was read ahead.
func accept(conn net.Conn, ahead *bufio.Reader, a Agreement) ([]byte, error) {
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(a.AppendAnswer(nil)); err != nil {
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

// check is RFC 6455, section 4.2.1. It completes a.
func (u Upgrader) check(r *http.Request, a *Agreement) (err error) {
	hint := "this is a WebSocket: connect with a WebSocket client (GET, Upgrade: websocket, Sec-WebSocket-Version: 13)"
	key, keyErr := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	origin := r.Header.Get("Origin")
	codec, protocol, known := negotiate(r.Header.Values("Sec-WebSocket-Protocol"))
	deflate, fits, extErr := negotiateDeflate(r.Header.Values("Sec-WebSocket-Extensions"))
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
	case extErr != nil:
		err = &refusal{
			status: http.StatusBadRequest,
			message: fmt.Sprintf("Sec-WebSocket-Extensions is %q, which is not a list of extensions: offer %s, or none",
				strings.Join(r.Header.Values("Sec-WebSocket-Extensions"), ", "), deflateName),
		}
	}
	a.Codec, a.protocol = codec, protocol
	a.Deflate = u.Deflate && fits
	a.bits = deflate.bits
	return err
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
