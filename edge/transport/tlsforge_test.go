package transport

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"testing"
)

// Content types: RFC 8446, section 5.1.
const (
	typeAlert       = 21
	typeHandshake   = 22
	typeApplication = 23
)

// forger makes the records of a TLS 1.3 client that does what crypto/tls never
// does of its own accord.
type forger struct {
	t      testing.TB
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// forge makes a TLS connection of ours and theirs. The client is good for
// reading only: the forger writes in its stead.
func forge(t testing.TB, ours, theirs net.Conn) (*TLSConn, tlsPeer, *forger) {
	t.Helper()
	var log bytes.Buffer
	cfg := clientConfig()
	cfg.KeyLogWriter = &log
	cfg.MinVersion = tls.VersionTLS13
	server := serverConfig()
	server.SessionTicketsDisabled = true // over a net.Pipe nobody would read them
	s, c := handshake(t, ours, theirs, theirs, server, cfg)
	if suite := c.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("%s was agreed; the forger knows AES-128 only", tls.CipherSuiteName(suite))
	}
	f := &forger{t: t}
	for lines := bufio.NewScanner(&log); lines.Scan(); {
		if words := strings.Fields(lines.Text()); words[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatal(err)
			}
			f.use(secret)
		}
	}
	return s, c, f
}

// use begins with a traffic secret: RFC 8446, section 7.3.
func (f *forger) use(secret []byte) {
	f.secret, f.seq, f.iv = secret, 0, f.expand("iv", 12, secret)
	block, err := aes.NewCipher(f.expand("key", 16, secret))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.aead, err = cipher.NewGCM(block); err != nil {
		f.t.Fatal(err)
	}
}

// expand is HKDF-Expand-Label: RFC 8446, section 7.1.
func (f *forger) expand(label string, size int, secret []byte) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(append(info, byte(len(label))), label...), 0)
	b, err := hkdf.Expand(sha256.New, secret, string(info), size)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// record is data as a record: RFC 8446, section 5.2.
func (f *forger) record(typ byte, data []byte) []byte {
	nonce := slices.Clone(f.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, f.seq) {
		nonce[4+i] ^= b
	}
	f.seq++
	header := []byte{typeApplication, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(data)+1+f.aead.Overhead()))
	return f.aead.Seal(header, nonce, append(slices.Clone(data), typ), header)
}

// keyUpdate changes the key, and asks the other side to do so: RFC 8446,
// section 4.6.3.
func (f *forger) keyUpdate() []byte {
	b := f.record(typeHandshake, []byte{24, 0, 0, 1, 1})
	f.use(f.expand("traffic upd", 32, f.secret))
	return b
}
