package transport

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls keeps the buffers of the handshake as long as the conn: rawInput
// and hand hold some 4.5 KiB after a browser's ClientHello, half of what an
// idle conn takes otherwise, and there is no way to ask for them back. So they
// are found by name and type, once; a Go that has no such fields costs memory,
// nothing else, and TestSecureMemory says so.
var (
	rawInput = tlsBuffer("rawInput") // ciphertext, from a record's header on
	hand     = tlsBuffer("hand")     // handshake messages
)

// tlsBuffer is where in a tls.Conn a buffer lies; 0 = unknown.
func tlsBuffer(name string) uintptr {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		return 0
	}
	return f.Offset
}

// release gives back the buffers that hold nothing. What was decrypted and not
// read yet keeps its memory, which rawInput would have used again. For the
// goroutine that reads.
func (t *TLSConn) release() {
	for _, at := range [...]uintptr{rawInput, hand} {
		if at == 0 {
			continue
		}
		if b := t.buffer(at); b.Len() == 0 {
			*b = bytes.Buffer{}
		}
	}
}

func (t *TLSConn) buffer(at uintptr) *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(t.tls), at))
}
