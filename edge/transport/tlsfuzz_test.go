package transport

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// FuzzTLSChunks has a peer's records, of any size and some of them damaged or
// out of place, come in pieces of any size: what was sent before the damage is
// decrypted as it was, nothing else is, and nothing panics or waits.
//
// A script's bytes are an operation and its argument.
func FuzzTLSChunks(f *testing.F) {
	f.Add([]byte{0, 5, 4, 255, 0, 9, 4, 3, 4, 3, 4, 255})
	f.Add([]byte{0, 200, 2, 0, 0, 1, 4, 10, 5, 0, 4, 255})
	f.Add([]byte{1, 20, 0, 4, 4, 255, 0, 9, 4, 255})
	f.Add([]byte{0, 1, 3, 7, 4, 255, 0, 8, 4, 255})
	f.Add([]byte{6, 2, 0, 7, 4, 255, 0, 8, 4, 255})
	f.Add([]byte{0, 90, 7, 60, 4, 255})
	f.Add([]byte{0, 33, 8, 0, 0, 33, 4, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		ours, theirs := net.Pipe()
		s, _, forger := forge(t, ours, theirs)
		s.pipe.nc = nil
		var sent, got []byte // plaintext
		var wire []byte      // ciphertext on its way
		var failed error
		damaged, said := false, false // said: the goodbye
		useless, tolerant := 0, true  // crypto/tls bears 16 records without content
		scratch := make([]byte, 1<<10)
		buf := make([]byte, maxRecord)
		feed := func(n int) {
			n = min(n, len(wire), len(scratch))
			copy(scratch, wire[:n])
			s.pipe.feed(scratch[:n])
			wire = wire[n:]
			for failed == nil {
				n, err := s.tls.Read(buf)
				got = append(got, buf[:n]...)
				if n == 0 {
					failed = err
				}
			}
			if errors.Is(failed, errDry) {
				failed = nil
				s.release()
			}
			s.pipe.keep()
			clear(scratch)
		}
		for len(script) >= 2 {
			op, arg := script[0]%9, int(script[1])
			script = script[2:]
			switch op {
			case 0: // data
				data := bytes.Repeat([]byte{byte(len(sent))}, 1+arg*arg/4)
				wire = append(wire, forger.record(typeApplication, data)...)
				sent = append(sent, data...)
				useless = 0
			case 1: // nothing, a few times
				useless += arg % 20
				wire = append(wire, forger.empty(arg%20)...)
			case 2:
				useless++
				wire = append(wire, forger.keyUpdate()...)
			case 3: // a bit flips
				if len(wire) > 0 {
					wire[arg%len(wire)] ^= 1 << (arg % 8)
					damaged = true
				}
			case 4: // some of it arrives
				feed(arg * 4)
			case 5: // a little of it arrives
				feed(arg % 8)
			case 6: // noise
				wire = append(wire, pattern(arg)...)
				damaged = true
			case 7: // a piece is lost
				n := min(arg, len(wire))
				wire = wire[n:]
				damaged = damaged || n > 0
			case 8:
				wire = append(wire, forger.record(typeAlert, []byte{1, 0})...)
				said = true
			}
			tolerant = tolerant && useless <= 16
		}
		for len(wire) > 0 {
			feed(len(scratch))
		}
		switch {
		case !bytes.HasPrefix(sent, got):
			t.Fatal("what was decrypted was never sent, or not in this order")
		case damaged || said || !tolerant:
		case failed != nil:
			t.Fatalf("Read: %v", failed)
		case len(got) < len(sent):
			t.Fatalf("%d of %d bytes were decrypted", len(got), len(sent))
		}
	})
}
