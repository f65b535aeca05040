package door

import (
	"net/http"
	"strconv"
	"time"
)

// resumeQuery is what a request's target ends in whose client comes back.
const resumeQuery = "resume=1"

// comesBack says whether r's client claims to have a cursor.
func comesBack(r *http.Request) bool { return r.URL.RawQuery == resumeQuery }

// The answer to who is refused, but for the seconds. It is written from where it
// lies, without an HTTP server, since it has to cost less than to take a client in.
const (
	refusalHead = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nContent-Length: " // the body's
	refusalBody = `{"error":{"code":"unavailable","message":"this edge takes no more sockets per second: come again as Retry-After says, or try another"}}` + "\n"
)

// appendRefusal appends the answer to one who is to come again after some time.
func appendRefusal(dst []byte, after time.Duration) []byte {
	dst = append(dst, refusalHead...)
	dst = strconv.AppendInt(dst, int64(len(refusalBody)), 10)
	dst = append(dst, "\r\nRetry-After: "...)
	dst = strconv.AppendInt(dst, RetryAfter(after), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, refusalBody...)
}

// RetryAfter is a time as the field Retry-After has it: whole seconds, one at
// least.
func RetryAfter(d time.Duration) int64 {
	return max(int64((d+time.Second-1)/time.Second), 1)
}
