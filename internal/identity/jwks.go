package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	jwksTimeout  = 5 * time.Second
	jwksInterval = time.Minute      // least time between two fetches: random kids must not hammer the provider
	jwksMaxAge   = 15 * time.Minute // a set older than this is fetched again, so that withdrawn keys end
	jwksMaxSize  = 1 << 20          // bytes
)

// jwksSource is a key set behind a URL. A fetch that fails keeps the old set.
type jwksSource struct {
	url    string
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex
	keys    []verifyKey // guarded by mu; never modified in place
	fetched time.Time   // guarded by mu; of keys
	tried   time.Time   // guarded by mu; start of the last fetch
	failed  error       // guarded by mu; of the last fetch
}

func newJWKSSource(address string, client *http.Client) (*jwksSource, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("JWKS URL %q is no https URL", address)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("JWKS URL %q is not encrypted: use https (http is for loopback only)", address)
	}
	if client == nil {
		client = &http.Client{Timeout: jwksTimeout}
	}
	return &jwksSource{url: address, client: client}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// current gives the keys, fetched anew if kid is not among them or they are old,
// but at most once a minute. The error is that of the last fetch; the keys given
// with it are the old ones. ctx bounds this caller's wait, not the fetch.
func (s *jwksSource) current(ctx context.Context, kid string) ([]verifyKey, error) {
	s.mu.Lock()
	now := time.Now()
	keys, failed := s.keys, s.failed
	missing := !has(keys, kid)
	// While one asks again for a set that merely got old, others go on with it.
	due := (missing || now.Sub(s.fetched) > jwksMaxAge) && now.Sub(s.tried) > jwksInterval
	s.mu.Unlock()
	if !due && !missing {
		return keys, failed
	}
	// A caller that misses its key joins a fetch that is under way, if any;
	// fetchOnce starts none before its time.
	flight := s.flight.DoChan("", func() (any, error) {
		s.fetchOnce()
		return nil, nil
	})
	select {
	case <-flight:
	case <-ctx.Done():
		return keys, fmt.Errorf("fetch %s: %w", s.url, ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.failed
}

// has reports whether a set has a key for kid; any key will do for an empty kid.
func has(keys []verifyKey, kid string) bool {
	for _, k := range keys {
		if kid == "" || k.id == "" || k.id == kid {
			return true
		}
	}
	return false
}

// fetchOnce fetches the set unless that was tried less than a minute ago.
func (s *jwksSource) fetchOnce() {
	s.mu.Lock()
	now := time.Now()
	if !s.tried.IsZero() && now.Sub(s.tried) <= jwksInterval {
		s.mu.Unlock()
		return
	}
	s.tried = now
	s.mu.Unlock()

	keys, err := s.fetch()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed = err; err == nil {
		s.keys, s.fetched = keys, now
	}
}

func (s *jwksSource) fetch() ([]verifyKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err // names the method and the URL
	}
	defer func() { _ = resp.Body.Close() }() // read only: nothing to lose
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: status %s", s.url, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, jwksMaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	case len(text) > jwksMaxSize:
		return nil, errors.New("fetch " + s.url + ": the key set is larger than 1 MiB")
	}
	keys, err := parseJWKS(text)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	}
	return keys, nil
}
