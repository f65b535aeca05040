package fanout

import (
	"bytes"
	"fmt"
	"strconv"
)

// The protocol of Redis, RESP2, as far as pub/sub needs it:
// https://redis.io/docs/latest/develop/reference/protocol-spec/

const (
	// maxElements and maxBulk bound what a server may send at once.
	maxElements = 16
	maxBulk     = 1 << 20
)

// appendCommand appends a command and its arguments.
func appendCommand(dst []byte, args ...string) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, a := range args {
		dst = fmt.Appendf(dst, "$%d\r\n", len(a))
		dst = append(append(dst, a...), "\r\n"...)
	}
	return dst
}

// parseReply reads what a server sends: one string, number or array of these, as
// its elements, which alias b. used = 0: it is not whole yet. An error that the
// server tells is an error.
func parseReply(b []byte) (elements [][]byte, used int, err error) {
	count := 1
	if len(b) > 0 && b[0] == '*' {
		n, line, err := parseLength(b, maxElements)
		if line == 0 || err != nil {
			return nil, 0, err
		}
		count, used = n, line
	}
	for range count {
		e, n, err := parseElement(b[used:])
		if n == 0 || err != nil {
			return nil, 0, err
		}
		elements = append(elements, e)
		used += n
	}
	return elements, used, nil
}

// parseElement reads a string or a number.
func parseElement(b []byte) (e []byte, used int, err error) {
	if len(b) == 0 {
		return nil, 0, nil
	}
	switch b[0] {
	case '+', ':':
		line, n := parseLine(b)
		return line, n, nil
	case '-':
		line, n := parseLine(b)
		if n > 0 {
			err = fmt.Errorf("redis says: %s", line)
		}
		return nil, n, err
	case '$':
		size, n, err := parseLength(b, maxBulk)
		if n == 0 || err != nil {
			return nil, 0, err
		}
		if size < 0 {
			return nil, n, nil
		}
		if len(b) < n+size+2 {
			return nil, 0, nil
		}
		if b[n+size] != '\r' || b[n+size+1] != '\n' {
			return nil, 0, fmt.Errorf("redis sent a string longer than the %d bytes that it said", size)
		}
		return b[n : n+size], n + size + 2, nil
	}
	return nil, 0, fmt.Errorf("redis sent %q, which no reply begins with", b[0])
}

// parseLength reads the number of a line such as "$12"; -1 is nothing.
func parseLength(b []byte, most int) (n, used int, err error) {
	line, used := parseLine(b)
	if used == 0 {
		return 0, 0, nil
	}
	if n, err = strconv.Atoi(string(line)); err != nil || n < -1 || n > most {
		return 0, used, fmt.Errorf("redis sent a length of %q", line)
	}
	return n, used, nil
}

// parseLine is a line without its first byte and its end.
func parseLine(b []byte) (line []byte, used int) {
	end := bytes.Index(b[:min(len(b), 1024)], []byte("\r\n"))
	if end < 1 {
		return nil, 0
	}
	return b[1:end], end + 2
}

// redisMessage takes the next of what a subscription brings: payload = nil for what
// is no message.
func redisMessage(b []byte) (payload, reply []byte, used int, err error) {
	e, used, err := parseReply(b)
	if used == 0 || err != nil {
		return nil, nil, 0, err
	}
	if len(e) == 3 && (string(e[0]) == "message" || string(e[0]) == "smessage") {
		return e[2], nil, used, nil
	}
	return nil, nil, used, nil
}
