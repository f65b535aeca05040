package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"selvedge/internal/identity"
)

// provider is an identity provider without a network.
type provider struct {
	fetches atomic.Int32
	delay   time.Duration

	mu   sync.Mutex
	keys []jose.JSONWebKey
	fail bool
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.fetches.Add(1)
	select {
	case <-time.After(p.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail {
		return nil, errors.New("connection refused")
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: p.keys})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(text))), Request: r}, nil
}

func (p *provider) set(fail bool, keys ...jose.JSONWebKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail, p.keys = fail, keys
}

func (p *provider) expect(t *testing.T, fetches int32) {
	t.Helper()
	if got := p.fetches.Load(); got != fetches {
		t.Errorf("%d fetches, want %d", got, fetches)
	}
}

func newKey(t *testing.T, kid string) (jose.JSONWebKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: public, KeyID: kid}, private
}

func withProvider(t *testing.T, p *provider) *identity.Verifier {
	t.Helper()
	return verifier(t, identity.TokenConfig{JWKSURL: "https://idp.example/jwks", HTTPClient: &http.Client{Transport: p}})
}

func TestJWKSRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k1, private1 := newKey(t, "k1")
		k2, private2 := newKey(t, "k2")
		p := &provider{keys: []jose.JSONWebKey{k1}}
		v := withProvider(t, p)
		p.expect(t, 0)
		verify := func(private ed25519.PrivateKey, kid string) error {
			_, err := v.Verify(t.Context(), mint(t, jose.EdDSA, private, kid, with("exp", time.Now().Add(24*time.Hour).Unix())))
			return err
		}
		for range 3 {
			if err := verify(private1, "k1"); err != nil {
				t.Fatal(err)
			}
		}
		p.expect(t, 1)
		// A new key within the minute has to wait for it, and so do strangers.
		p.set(false, k1, k2)
		for range 3 {
			if err := verify(private2, "k2"); !errors.Is(err, identity.ErrTokenInvalid) {
				t.Errorf("unknown kid: %v", err)
			}
		}
		p.expect(t, 1)
		time.Sleep(61 * time.Second)
		if err := verify(private2, "k2"); err != nil {
			t.Errorf("new kid after a minute: %v", err)
		}
		p.expect(t, 2)
		// A provider that is down changes nothing for the keys at hand.
		p.set(true)
		time.Sleep(time.Hour)
		if err := verify(private1, "k1"); err != nil {
			t.Errorf("provider down: %v", err)
		}
		p.expect(t, 3)
		if err := verify(private1, "k3"); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("unknown kid with the provider down: %v", err)
		}
		p.expect(t, 3)
		// A key that is withdrawn ends, once the set is old.
		p.set(false, k2)
		time.Sleep(16 * time.Minute)
		if err := verify(private1, "k1"); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("withdrawn key: %v", err)
		}
		p.expect(t, 4)
	})
}

func TestJWKSIsFetchedOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k1, private := newKey(t, "k1")
		p := &provider{keys: []jose.JSONWebKey{k1}, delay: time.Second}
		v := withProvider(t, p)
		token := mint(t, jose.EdDSA, private, "k1", good())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		p.expect(t, 1)
	})
}

func TestJWKSWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k1, private := newKey(t, "k1")
		p := &provider{keys: []jose.JSONWebKey{k1}, delay: time.Hour}
		v := withProvider(t, p)
		token := mint(t, jose.EdDSA, private, "k1", with("exp", time.Now().Add(24*time.Hour).Unix()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := v.Verify(ctx, token)
		if !errors.Is(err, identity.ErrTokenInvalid) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("caller's deadline: %v after %v", err, time.Since(start))
		}
		if _, err := v.Verify(t.Context(), token); err == nil || time.Since(start) != 5*time.Second {
			t.Errorf("fetch's own deadline: %v after %v", err, time.Since(start))
		}
	})
}
