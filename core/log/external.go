package log

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	dialLimit   = 5 * time.Second
	silentPings = 2 * time.Second // a server that misses two of them is given up
)

// dial connects to an external NATS.
func dial(cfg *Config, options []nats.Option) (*nats.Conn, error) {
	options = append(options, nats.Timeout(dialLimit), nats.PingInterval(silentPings), nats.MaxPingsOutstanding(2))
	if cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(cfg.Credentials))
	}
	nc, err := nats.Connect(strings.Join(cfg.Servers, ","), options...)
	urls := redacted(cfg.Servers)
	if err != nil {
		return nil, fmt.Errorf("%w: NATS at %s: %w: check --log and --log-credentials", ErrUnavailable, urls, err)
	}
	if limit := nc.MaxPayload(); limit < maxRecord+4<<10 {
		nc.Close()
		return nil, fmt.Errorf("%w: NATS at %s takes messages of %d bytes at most, and must take %d: set its max_payload to 2MB", ErrSettings, urls, limit, maxRecord+4<<10)
	}
	return nc, nil
}

// redacted are URLs without their passwords.
func redacted(urls []string) string {
	var out []string
	for _, s := range urls {
		if u, err := url.Parse(s); err == nil {
			out = append(out, u.Redacted())
		}
	}
	return strings.Join(out, ",")
}
