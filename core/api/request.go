package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"selvedge/wire"
)

const (
	// maxBody is the largest body of a request, in bytes.
	maxBody = 16 << 20
	// bodyTime is how long a body may take to arrive, answerTime how long an
	// answer may take to leave.
	bodyTime   = time.Minute
	answerTime = time.Minute
	// defaultLimit is the length of a page that names none.
	defaultLimit = 100
	// maxPosition bounds positions and versions: JSON's numbers are exact below 2^53.
	maxPosition = 1 << 53
)

// request is one request on its way. It belongs to its handler.
type request struct {
	*http.Request
	w         http.ResponseWriter
	publisher string // name of the key that it came with
	answer    wire.Codec
}

// codecOf is the codec of a media type, or false. None at all means JSON.
func codecOf(header string) (wire.Codec, bool) {
	if header == "" {
		return wire.JSON, true
	}
	kind, _, err := mime.ParseMediaType(header)
	switch {
	case err != nil:
		return wire.JSON, false
	case kind == "application/msgpack" || kind == "application/x-msgpack" || kind == "application/vnd.msgpack":
		return wire.Msgpack, true
	}
	return wire.JSON, kind == "application/json" || kind == "application/merge-patch+json"
}

// newRequest chooses the codec of the answer: that of the body, and without a
// body what is asked for.
func newRequest(w http.ResponseWriter, r *http.Request) *request {
	q := &request{Request: r, w: w}
	asked := r.Header.Get("Content-Type")
	if asked == "" {
		asked, _, _ = strings.Cut(r.Header.Get("Accept"), ",")
	}
	q.answer, _ = codecOf(asked)
	return q
}

// decode reads the whole body into m, whose fields are all that it may have.
func (q *request) decode(m any) error {
	codec, ok := codecOf(q.Header.Get("Content-Type"))
	if !ok {
		return &problem{Code: wire.Unsupported, Message: "content type " + strconv.Quote(q.Header.Get("Content-Type")) + " is not taken: send application/json or application/msgpack"}
	}
	if e := q.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return &problem{Code: wire.Unsupported, Message: "content encoding " + strconv.Quote(e) + " is not taken: send the body as it is"}
	}
	b, err := q.body()
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return bad("", "the body is missing")
	}
	if err := codec.DecodeStrict(b, m); err != nil {
		return malformed(codec, b, m, err)
	}
	return nil
}

func (q *request) body() ([]byte, error) {
	if q.ContentLength > maxBody {
		return nil, bodyTooLarge()
	}
	deadline := http.NewResponseController(q.w)
	_ = deadline.SetReadDeadline(time.Now().Add(bodyTime)) // a test's recorder has none
	var b bytes.Buffer
	b.Grow(int(min(max(q.ContentLength, 0), 1<<20)) + bytes.MinRead)
	_, err := b.ReadFrom(http.MaxBytesReader(q.w, q.Body, maxBody))
	_ = deadline.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil:
		return b.Bytes(), nil
	case errors.As(err, &large):
		return nil, bodyTooLarge()
	case errors.As(err, &network) && network.Timeout():
		return nil, bad("", "the body did not arrive within %s", bodyTime)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, bad("", "the body ends early")
	}
	return nil, bad("", "the body can't be read: %v", err)
}

func bodyTooLarge() *problem {
	return &problem{Code: wire.TooLarge, Message: "the body is larger than " + strconv.Itoa(maxBody) + " bytes: send it in parts"}
}

// malformed says what is wrong with a body. The msgpack decoder can't name the
// field; that of the JSON twin can, and a value that has passed wire.Check has one.
func malformed(codec wire.Codec, b []byte, m any, err error) *problem {
	var field *wire.FieldError
	if codec == wire.Msgpack && wire.Check(b) == nil {
		if text, twinErr := wire.Data(b).MarshalJSON(); twinErr == nil {
			twinErr = wire.JSON.DecodeStrict(text, m)
			errors.As(twinErr, &field)
		}
	} else {
		errors.As(err, &field)
	}
	if field != nil {
		return bad(field.Field, "%s", strings.TrimPrefix(field.Error(), ": "))
	}
	return bad("", "%v", err)
}

// userID is the user in the path.
func (q *request) userID() (wire.UserID, error) {
	id := q.PathValue("id")
	if err := wire.CheckID(id); err != nil {
		return "", bad("id", "%v", err)
	}
	return wire.UserID(id), nil
}

// roomID is the room in the path.
func (q *request) roomID() (wire.RoomID, error) {
	id, err := q.userID()
	return wire.RoomID(id), err
}

// query is the query string, which has no parameters but these.
func (q *request) query(known ...string) (url.Values, error) {
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return nil, bad("", "malformed query string: %v", err)
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return nil, bad(name, "unknown parameter %q: this call has %s", name, strings.Join(known, ", "))
		}
	}
	return values, nil
}

// page reads the parameters of a listing by id.
func (q *request) page() (after string, limit int, err error) {
	values, err := q.query("after", "limit")
	if err != nil {
		return "", 0, err
	}
	after = values.Get("after")
	if after != "" {
		if err := wire.CheckID(after); err != nil {
			return "", 0, bad("after", "%v", err)
		}
	}
	limit, err = limitOf(values)
	return after, limit, err
}

func limitOf(values url.Values) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > wire.MaxPage {
		return 0, bad("limit", "limit is %q: use 1 to %d", text, wire.MaxPage)
	}
	return n, nil
}

// position is a position among the parameters; nil = it is not given.
func position(values url.Values, name string) (*wire.Seq, error) {
	text := values.Get(name)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n >= maxPosition {
		return nil, bad(name, "%s is %q: use the seq of a frame", name, text)
	}
	seq := wire.Seq(n)
	return &seq, nil
}
