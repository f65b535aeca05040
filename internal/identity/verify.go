package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"selvedge/wire"
)

// defaultLeeway is how far clocks may differ (contract).
const defaultLeeway = 30 * time.Second

// TokenConfig says whose tokens are good. At least one source of keys is needed.
type TokenConfig struct {
	Secrets  [][]byte      // HS256; at least 32 bytes each
	KeyFiles []string      // PEM public keys or certificates (RSA, P-256, Ed25519), or JWKS
	JWKSURL  string        // https, or http on loopback; fetched when first needed
	Audience string        // what aud must contain; empty = aud is not looked at
	Issuer   string        // what iss must be; empty = iss is not looked at
	Leeway   time.Duration // for exp and nbf; zero = 30 s
	Dev      bool          // DevTokenSecret is acceptable

	HTTPClient *http.Client // for JWKSURL; nil = a client of our own
}

// Verifier checks tokens. Safe for concurrent use.
type Verifier struct {
	cfg  TokenConfig
	keys []verifyKey            // from secrets and files; fixed
	jwks *jwksSource            // nil without a URL
	last atomic.Pointer[header] // of the last token that a key of ours had signed
}

// NewVerifier reads the keys. It doesn't fetch JWKSURL: an identity provider that
// is down must not keep a node from starting.
func NewVerifier(cfg TokenConfig) (*Verifier, error) {
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	v := &Verifier{cfg: cfg}
	for i, secret := range cfg.Secrets {
		if len(secret) < minSecret {
			return nil, fmt.Errorf("token secret %d has %d bytes: HS256 needs at least %d", i+1, len(secret), minSecret)
		}
		if !cfg.Dev && bytes.Equal(secret, []byte(DevTokenSecret)) {
			return nil, errors.New("token secret is the one of --dev, which everyone knows: use your own")
		}
		v.keys = append(v.keys, secretKey(secret))
	}
	for _, path := range cfg.KeyFiles {
		keys, err := loadKeys(path)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, keys...)
	}
	if cfg.JWKSURL != "" {
		source, err := newJWKSSource(cfg.JWKSURL, cfg.HTTPClient)
		if err != nil {
			return nil, err
		}
		v.jwks = source
	}
	if len(v.keys) == 0 && v.jwks == nil {
		return nil, errors.New("no key to verify tokens with: give a token secret, a key file or a JWKS URL")
	}
	return v, nil
}

// Verify checks a token's signature and dates and gives what it says. The error
// wraps ErrTokenExpired or ErrTokenInvalid; ctx bounds the wait for a fetch of
// the key set, after which the token counts as invalid.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTokenInvalid, len(token), maxToken)
	}
	last := v.last.Load()
	parsed, err := parseToken(token, last)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: it is no JWT signed with HS256, RS256, ES256 or EdDSA", ErrTokenInvalid)
	}
	if err := v.checkSignature(ctx, parsed); err != nil {
		return Claims{}, err
	}
	if last == nil || last.text != parsed.header.text {
		h := parsed.header
		h.text = strings.Clone(h.text) // not all of the token
		v.last.Store(&h)
	}
	p := &parsed.payload
	if err := v.checkClaims(p, time.Now()); err != nil {
		return Claims{}, err
	}
	return Claims{
		User:      p.Subject,
		Publish:   p.Publish,
		Subscribe: p.Subscribe,
		Team:      p.Team,
		Expires:   p.Expires.time(),
	}, nil
}

// checkSignature finds the key that signed the token: first among those at hand,
// then among those of a newly fetched set.
func (v *Verifier) checkSignature(ctx context.Context, token *signed) error {
	if token.by(v.keys) {
		return nil
	}
	if v.jwks == nil {
		return fmt.Errorf("%w: no key of ours signed it (alg %s, kid %q)", ErrTokenInvalid, token.algorithm, token.keyID)
	}
	keys, err := v.jwks.current(ctx, token.keyID)
	if token.by(keys) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: no key at hand signed it (alg %s, kid %q), and the key set can't be fetched: %w", ErrTokenInvalid, token.algorithm, token.keyID, err)
	}
	return fmt.Errorf("%w: no key of ours signed it (alg %s, kid %q)", ErrTokenInvalid, token.algorithm, token.keyID)
}

func (v *Verifier) checkClaims(p *payload, now time.Time) error {
	if !p.Expires.set {
		return fmt.Errorf("%w: it has no exp", ErrTokenInvalid)
	}
	if expires := p.Expires.time(); now.After(expires.Add(v.cfg.Leeway)) {
		return fmt.Errorf("%w at %s: mint a new one", ErrTokenExpired, expires.UTC().Format(time.RFC3339))
	}
	if p.NotBefore.set && now.Add(v.cfg.Leeway).Before(p.NotBefore.time()) {
		return fmt.Errorf("%w: not valid before %s", ErrTokenInvalid, p.NotBefore.time().UTC().Format(time.RFC3339))
	}
	if v.cfg.Issuer != "" && p.Issuer != v.cfg.Issuer {
		return fmt.Errorf("%w: iss is %q, not %q", ErrTokenInvalid, p.Issuer, v.cfg.Issuer)
	}
	if v.cfg.Audience != "" && !slices.Contains(p.Audience, v.cfg.Audience) {
		return fmt.Errorf("%w: aud is %q, without %q", ErrTokenInvalid, []string(p.Audience), v.cfg.Audience)
	}
	if err := wire.CheckID(p.Subject); err != nil {
		return fmt.Errorf("%w: sub: %w", ErrTokenInvalid, err)
	}
	return nil
}
