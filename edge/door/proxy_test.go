package door

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// proxyHeader is a PROXY v2 header.
func proxyHeader(command, family byte, rest string) []byte {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(rest))), rest...)
}

var (
	proxyTCP4 = proxyHeader(0x21, 0x11, "\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x34\x01\xbb")
	proxyTCP6 = proxyHeader(0x21, 0x21, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x07"+strings.Repeat("\x00", 16)+"\x12\x34\x01\xbb")
	// with a CRC, which is not checked, and an authority
	proxyTLVs  = proxyHeader(0x21, 0x11, "\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x34\x01\xbb"+"\x03\x00\x04\x01\x02\x03\x04"+"\x02\x00\x01a")
	proxyLocal = proxyHeader(0x20, 0x00, "")
)

func TestProxyHeaders(t *testing.T) {
	tests := []struct {
		name   string
		header []byte
		want   string // the client's address; "" = the connection's own
		refuse bool
	}{
		{name: "IPv4", header: proxyTCP4, want: "192.0.2.7:4660"},
		{name: "IPv6", header: proxyTCP6, want: "[2001:db8::7]:4660"},
		{name: "IPv4 in IPv6", header: proxyHeader(0x21, 0x21, strings.Repeat("\x00", 10)+"\xff\xff\xc0\x00\x02\x07"+strings.Repeat("\x00", 16)+"\x12\x34\x01\xbb"), want: "192.0.2.7:4660"},
		{name: "TLVs", header: proxyTLVs, want: "192.0.2.7:4660"},
		{name: "local", header: proxyLocal},
		{name: "local with anything", header: proxyHeader(0x20, 0x99, "whatever")},
		{name: "a Unix socket", header: proxyHeader(0x21, 0x31, strings.Repeat("a", 216))},
		{name: "the most", header: proxyHeader(0x20, 0, strings.Repeat("a", maxProxy))},
		{name: "too much", header: proxyHeader(0x21, 0x11, strings.Repeat("a", maxProxy+1))[:20], refuse: true},
		{name: "too little", header: proxyHeader(0x21, 0x11, "abc"), refuse: true},
		{name: "version 1", header: []byte("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\r\n"), refuse: true},
		{name: "version 3", header: proxyHeader(0x31, 0x11, strings.Repeat("a", 12)), refuse: true},
		{name: "version 3, local", header: proxyHeader(0x30, 0x00, ""), refuse: true},
		{name: "no command", header: proxyHeader(0x2f, 0x11, strings.Repeat("a", 12)), refuse: true},
		{name: "none", header: nil, refuse: true},
		{name: "a torn signature", header: []byte("\r\n\r\n\x00\r\nQUIX\n"), refuse: true},
	}
	everyWay(t, func(cfg *Config) { cfg.Proxy = true }, func(t *testing.T, r *rig) {
		good, bad := 0, 0
		for _, tt := range tests {
			if tt.refuse {
				// Whatever comes next, TLS or a request: it is not looked at.
				c := r.dialAfter(append(tt.header, upgrade()...))
				c.end()
				bad++
				continue
			}
			c := r.dialAfter(tt.header)
			want := tt.want
			if want == "" {
				want = c.LocalAddr().String()
			}
			c.send(upgrade()+"frame", 100)
			c.status("101")
			c.echoes("frame")
			r.mu.Lock()
			if got := r.clients[len(r.clients)-1]; got != want {
				t.Errorf("%s: the client is %s, want %s", tt.name, got, want)
			}
			r.mu.Unlock()
			good++
			_ = c.Close()

			c = r.dialAfter(tt.header)
			if want = tt.want; want == "" {
				want = c.LocalAddr().String()
			}
			c.send(request("GET /page HTTP/1.1"), 100)
			if got, want := c.status("200"), "GET /page "+want+" 0"; got != want {
				t.Errorf("%s: the HTTP server says %q, want %q", tt.name, got, want)
			}
			_ = c.Close()
			if t.Failed() {
				t.Fatal(tt.name)
			}
		}
		r.settled()
		r.expect(map[Result]int{Taken: good, BadProxy: bad})
	})
}

// A header may come in any pieces, and together with what is behind it.
func TestProxyHeaderInPieces(t *testing.T) {
	everyWay(t, func(cfg *Config) { cfg.Proxy = true }, func(_ *testing.T, r *rig) {
		if r.way.tls {
			c := r.dialAfter(proxyTLVs[:13])
			if _, err := c.Conn.(interface{ NetConn() net.Conn }).NetConn().Write(proxyTLVs[13:]); err != nil {
				r.t.Fatal(err)
			}
			c.send(upgrade()+"frame", 100)
			c.status("101")
			c.echoes("frame")
			return
		}
		for _, cut := range []int{1, 7, 1 << 20} {
			c := r.dial()
			c.send(string(proxyTLVs)+upgrade()+"frame", cut)
			c.status("101")
			c.echoes("frame")
		}
	})
}

func TestWhoMaySendAProxyHeader(t *testing.T) {
	for _, tt := range []struct {
		from string
		ok   bool
	}{{"127.0.0.0/8", true}, {"10.0.0.0/8", false}} {
		everyWay(t, func(cfg *Config) {
			cfg.Proxy, cfg.ProxyFrom = true, []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix(tt.from)}
		}, func(_ *testing.T, r *rig) {
			c := r.dialAfter(proxyTCP4)
			if !tt.ok {
				c.end()
				r.expect(map[Result]int{BadProxy: 1})
				return
			}
			c.send(upgrade(), 100)
			c.status("101")
		})
	}
}

// Load balancers look whether somebody is there, and go: that is no attempt.
func TestHealthChecksAreNotCounted(t *testing.T) {
	for _, proxy := range []bool{false, true} {
		everyWay(t, func(cfg *Config) { cfg.Proxy = proxy }, func(t *testing.T, r *rig) {
			_ = r.dialRaw().Close()
			var header []byte
			if proxy {
				header = proxyLocal
			}
			c := r.dialAfter(header)
			if secure, ok := c.Conn.(*tls.Conn); ok {
				if err := secure.Handshake(); err != nil {
					t.Error(err)
				}
			}
			_ = c.Close()
			// Those that began to say something and then went are counted.
			c = r.dialAfter(header)
			c.send("GET", 1)
			_ = c.Close()
			r.expect(map[Result]int{Failed: 1})
			r.settled()
			r.expect(map[Result]int{Failed: 1})
		})
	}
}
