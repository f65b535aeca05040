package door

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// The beginning of a PROXY v2 header (the protocol's specification, section
// 2.2): the signature, version and command, family, and the length of the rest.
const (
	proxyStart = 16
	// maxProxy bounds the rest: addresses, and what the proxy tells of TLS.
	maxProxy = 4096
)

var (
	errNoProxy      = errors.New("it does not begin with a PROXY v2 header")
	errProxyLength  = errors.New("a PROXY header of more than 4,096 bytes")
	errProxyForeign = errors.New("this address may not send a PROXY header: it is not in --proxy-protocol-from")
)

// proxyNeed is how many bytes there must be to go on with a PROXY header that
// begins with b: not more than len(b) means that it is whole, and so long. An
// error means that it never will be.
func proxyNeed(b []byte) (int, error) {
	sig := proxyproto.SIGV2
	if k := min(len(b), len(sig)); !bytes.Equal(b[:k], sig[:k]) {
		return 0, errNoProxy
	}
	if len(b) > len(sig) && b[len(sig)]>>4 != 2 {
		return 0, fmt.Errorf("%w: its version is %d", errNoProxy, b[len(sig)]>>4)
	}
	if len(b) < proxyStart {
		return proxyStart, nil
	}
	rest := int(binary.BigEndian.Uint16(b[proxyStart-2:]))
	if rest > maxProxy {
		return 0, errProxyLength
	}
	return proxyStart + rest, nil
}

// proxySource is the client's address that a whole PROXY header tells. It is
// not valid where the proxy speaks for itself (LOCAL), or of a client that has
// no TCP address.
func proxySource(header []byte) (netip.AddrPort, error) {
	var none netip.AddrPort
	if header[len(proxyproto.SIGV2)]&0xf == 0 {
		return none, nil // LOCAL: whatever follows is to be ignored
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return none, fmt.Errorf("PROXY header: %w", err)
	}
	tcp, ok := h.SourceAddr.(*net.TCPAddr)
	if !ok {
		return none, nil
	}
	a := tcp.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}
