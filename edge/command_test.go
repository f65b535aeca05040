package edge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"selvedge/internal/config"
)

// What can't work is refused before anything is opened, in one line that names
// the flag and the way out.
func TestWrongSettingsAreRefused(t *testing.T) {
	dev := []string{"--dev", "--join", "127.0.0.1:7402"}
	for name, test := range map[string]struct {
		args []string
		want string // each of its words
	}{
		"no seed":           {[]string{"--dev"}, "--join 127.0.0.1:7402"},
		"unknown region":    {append([]string{"--region", "eu-wst"}, dev...), "--region eu-wst eu-west"},
		"off loopback":      {append([]string{"--public-addr", "0.0.0.0:7410"}, dev...), "--public-addr loopback 127.0.0.1:7410"},
		"no port":           {append([]string{"--link-addr", "127.0.0.1"}, dev...), "--link-addr HOST:PORT"},
		"no keys":           {[]string{"--join", "127.0.0.1:7402"}, "--cert --key --ca --gossip-key --dev"},
		"dev and real keys": {append([]string{"--cert", "x.pem"}, dev...), "--dev --cert"},
		"unknown transport": {append([]string{"--transport", "epol"}, dev...), "--transport epoll portable"},
		"two URLs":          {append([]string{"--advertise-url=https://a", "--regional-url=https://eu"}, dev...), "--regional-url https://eu --advertise-url https://a"},
		"negative sockets":  {append([]string{"--max-sockets=-1"}, dev...), "--max-sockets -1"},
		"no cache":          {append([]string{"--cache-bytes=0"}, dev...), "--cache-bytes 0"},
		"no budget":         {append([]string{"--socket-budget=-5"}, dev...), "--socket-budget -5"},
		"no ping":           {append([]string{"--ping=0s"}, dev...), "--ping 0s 1s"},
		"hardly a ping":     {append([]string{"--ping=50m1s"}, dev...), "--ping 50m1s 1s 50m0s"},
		"no handshakes":     {append([]string{"--max-handshakes=-1"}, dev...), "--max-handshakes -1"},
		"no time to shake":  {append([]string{"--handshake-timeout=0s"}, dev...), "--handshake-timeout 0s 100ms"},
		"a strange rate":    {append([]string{"--accept-rate=-2"}, dev...), "--accept-rate -2 -1"},
		"hardly a rate":     {append([]string{"--accept-rate=0.5"}, dev...), "--accept-rate 0.5 1"},
		"no rate at all":    {append([]string{"--accept-rate=NaN"}, dev...), "--accept-rate NaN -1"},
		"no burst":          {append([]string{"--accept-burst=-1"}, dev...), "--accept-burst -1"},
		"a burst too small": {append([]string{"--accept-rate=1000", "--accept-burst=99"}, dev...), "--accept-burst 99 tenth 1000"},
		"no TLS key":        {append([]string{"--tls-cert=x.pem"}, dev...), "--tls-cert x.pem --tls-key"},
		"no TLS cert":       {append([]string{"--tls-key=x.pem"}, dev...), "--tls-key x.pem --tls-cert"},
		"proxies unheard":   {append([]string{"--proxy-protocol-from=10.0.0.0/8"}, dev...), "--proxy-protocol-from --proxy-protocol,"},
		"proxy nonsense":    {append([]string{"--proxy-protocol", "--proxy-protocol-from=ten"}, dev...), "--proxy-protocol-from ten 10.0.0.0/8"},
		"proxy bits":        {append([]string{"--proxy-protocol", "--proxy-protocol-from=10.0.0.7/8"}, dev...), "--proxy-protocol-from 10.0.0.7/8 10.0.0.0/8"},
		"unknown flag":      {append([]string{"--regoin", "x"}, dev...), "--regoin --region"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			var cli struct {
				Edge Command `cmd:""`
			}
			status := config.Main(t.Context(), append([]string{"edge"}, test.args...), config.IO{Stdout: &out, Stderr: &errs}, &cli, kong.Vars{"transport": DefaultTransport()})
			text := errs.String()
			if status != config.StatusUsage || out.Len() > 0 || strings.Count(text, "\n") != 1 {
				t.Errorf("status %d, output %q, errors %q; want status 2 and one line", status, out.String(), text)
			}
			for word := range strings.FieldsSeq(test.want) {
				if !strings.Contains(text, word) {
					t.Errorf("%q does not say %q", text, word)
				}
			}
		})
	}
}

func TestMoreSocketsThanFilesAreRefused(t *testing.T) {
	if _, err := socketLimit(1 << 31); err == nil || !strings.Contains(err.Error(), "--max-sockets 2147483648") {
		t.Errorf("got %v", err)
	}
	if n, err := socketLimit(0); err != nil || n < 1 {
		t.Errorf("by default %d, %v", n, err)
	}
}
