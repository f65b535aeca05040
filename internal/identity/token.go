package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"selvedge/wire"
)

// Errors of tokens.
var (
	// ErrTokenInvalid: a token is malformed, signed by a stranger, not meant for
	// us, or says nothing of who its user is.
	ErrTokenInvalid = errors.New("token invalid")
	// ErrTokenExpired: a token was good once. The client fetches another.
	ErrTokenExpired = errors.New("token expired")
)

const (
	minSecret = 32       // bytes, for HS256 (RFC 7518, section 3.2)
	maxToken  = 16 << 10 // bytes; a token travels in every hello
)

// Claims is what a token says of its bearer.
type Claims struct {
	User      string    // sub; a valid id
	Publish   []string  // channels that the user may publish to; see MayPublish
	Subscribe []string  // channels that the user may subscribe to; see MaySubscribe
	Team      string    // affinity; may be empty
	Audience  string    // aud; Sign writes it if not empty, Verify leaves it empty
	Issuer    string    // iss, as Audience
	Expires   time.Time // exp; never zero in a verified token
}

// MayPublish reports whether the token lets its user publish to channel ch. A
// pattern that ends in * stands for every channel that begins with the rest;
// any other one for itself.
func (c Claims) MayPublish(ch string) bool { return matches(c.Publish, ch) }

// MaySubscribe is MayPublish for subscribing.
func (c Claims) MaySubscribe(ch string) bool { return matches(c.Subscribe, ch) }

func matches(patterns []string, ch string) bool {
	for _, p := range patterns {
		if prefix, open := strings.CutSuffix(p, "*"); p == ch || open && strings.HasPrefix(ch, prefix) {
			return true
		}
	}
	return false
}

// Sign mints a token with HS256. The secret has at least 32 bytes; c.User is a
// valid id and c.Expires is after now.
func Sign(secret []byte, c Claims, now time.Time) (string, error) {
	if len(secret) < minSecret {
		return "", fmt.Errorf("token secret has %d bytes: HS256 needs at least %d", len(secret), minSecret)
	}
	if err := wire.CheckID(c.User); err != nil {
		return "", fmt.Errorf("token for user %q: %w", c.User, err)
	}
	if !c.Expires.After(now) {
		return "", fmt.Errorf("token for user %q would be expired at once: choose a later time than %s", c.User, c.Expires.UTC().Format(time.RFC3339))
	}
	p := struct {
		jwt.RegisteredClaims

		Publish   []string `json:"publish,omitempty"`
		Subscribe []string `json:"subscribe,omitempty"`
		Team      string   `json:"team,omitempty"`
	}{Publish: c.Publish, Subscribe: c.Subscribe, Team: c.Team, RegisteredClaims: jwt.RegisteredClaims{
		Subject:   c.User,
		Issuer:    c.Issuer,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(c.Expires),
	}}
	if c.Audience != "" {
		p.Audience = jwt.ClaimStrings{c.Audience}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, p).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
