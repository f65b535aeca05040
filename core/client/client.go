package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"selvedge/wire"
)

// DefaultURL is where a core's API is by default.
const DefaultURL = "http://127.0.0.1:7400"

const (
	defaultRetries = 4
	defaultPause   = 100 * time.Millisecond
	longestPause   = 10 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 20
)

// Client talks to a core. Its zero value, with a Key, is usable. Safe for
// concurrent use; not to be changed once used.
type Client struct {
	BaseURL string       // "" = DefaultURL
	Key     string       // the API key
	HTTP    *http.Client // nil = http.DefaultClient
	// Retries is how often a call is repeated after 503, 429 or a cut connection,
	// if a repetition is harmless: reads, deletions, and publishes with a MsgID.
	// 0 = 4, negative = never.
	Retries int
	// Pause is the longest wait before the first repetition; it doubles with each.
	// 0 = 100 ms. A core's Retry-After is waited at least.
	Pause time.Duration
}

// Error is what a core answered instead of what was asked for.
type Error struct {
	Status  int       `json:"-"` // HTTP status; 0 for an item of a batch
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
	Field   string    `json:"field"` // the part of the request to blame, "" = none
}

func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s (%s)", e.Message, e.Field)
	}
	return e.Message
}

// IsCode reports whether err is a core's answer with this code.
func IsCode(err error, code wire.Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// call is one call of the API.
type call struct {
	method, path string
	query        url.Values
	body         any  // nil = none
	harmless     bool // to repeat
}

// do makes a call and decodes its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, what call, out any) error {
	var body []byte
	if what.body != nil {
		var err error
		if body, err = wire.Msgpack.Append(nil, what.body); err != nil {
			return fmt.Errorf("core: %s: %w", what.path, err)
		}
	}
	for attempt := 0; ; attempt++ {
		wait, err := c.once(ctx, what, body, out)
		if err == nil {
			return nil
		}
		if wait < 0 || !what.harmless || attempt >= c.retries() {
			return err
		}
		if !c.sleep(ctx, attempt, wait) {
			return err
		}
	}
}

func (c *Client) retries() int {
	if c.Retries == 0 {
		return defaultRetries
	}
	return max(c.Retries, 0)
}

// sleep waits before a repetition, with full jitter; false = ctx ended first.
func (c *Client) sleep(ctx context.Context, attempt int, least time.Duration) bool {
	pause := c.Pause
	if pause <= 0 {
		pause = defaultPause
	}
	timer := time.NewTimer(least + rand.N(min(pause<<min(attempt, 16), longestPause)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// final says that a repetition is of no use.
const final = time.Duration(-1)

// once makes one attempt. wait is how long to wait before the next at least.
func (c *Client) once(ctx context.Context, what call, body []byte, out any) (wait time.Duration, err error) {
	request, err := c.request(ctx, what, body)
	if err != nil {
		return final, err
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return final, fmt.Errorf("core: %w", context.Cause(ctx))
		}
		return 0, unreachable(request.URL, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end, or is of no use
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("core: the connection to %s was cut in the midst of the answer: %w", request.URL.Host, err)
	}
	codec := wire.JSON
	if response.Header.Get("Content-Type") == wire.Msgpack.ContentType() {
		codec = wire.Msgpack
	}
	if response.StatusCode/100 != 2 {
		return retryAfter(response), failureOf(response, codec, answer)
	}
	if out == nil || response.StatusCode == http.StatusNoContent {
		return 0, nil
	}
	if err := codec.Decode(answer, out); err != nil {
		return final, fmt.Errorf("core: the answer of %s: %w: is this the API port of a core?", request.URL.Host, err)
	}
	return 0, nil
}

func (c *Client) request(ctx context.Context, what call, body []byte) (*http.Request, error) {
	base := c.BaseURL
	if base == "" {
		base = DefaultURL
	}
	target, err := url.Parse(base)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, fmt.Errorf("core: %q is no address of a core: use a URL such as %s", base, DefaultURL)
	}
	// The parts of the path are escaped already: an id may hold a slash.
	text := target.Scheme + "://" + target.Host + target.EscapedPath() + what.path
	if len(what.query) > 0 {
		text += "?" + what.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, what.method, text, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.Key)
	request.Header.Set("Accept", wire.Msgpack.ContentType())
	if body != nil {
		request.Header.Set("Content-Type", wire.Msgpack.ContentType())
	}
	return request, nil
}

func unreachable(target *url.URL, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the outer one repeats method and URL
	}
	return fmt.Errorf("core: no answer from %s: %w: is a core running there?", target.Host, err)
}

// retryAfter is how long a repetition must wait, or final.
func retryAfter(r *http.Response) time.Duration {
	if r.StatusCode != http.StatusServiceUnavailable && r.StatusCode != http.StatusTooManyRequests {
		return final
	}
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestPause)
}

// failureOf reads an error's body. A proxy on the way may answer anything.
func failureOf(r *http.Response, codec wire.Codec, body []byte) *Error {
	var failure struct {
		Error *Error `json:"error"`
	}
	if err := codec.Decode(body, &failure); err != nil || failure.Error == nil || failure.Error.Code == "" {
		code := wire.Internal
		if r.StatusCode == http.StatusServiceUnavailable {
			code = wire.Unavailable
		}
		failure.Error = &Error{Code: code, Message: "the answer was " + r.Status + ": is this the API port of a core?"}
	}
	failure.Error.Status = r.StatusCode
	return failure.Error
}
