package identity

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// signed is a token that was read. Nothing of it is to be believed until by
// says that a key of ours signed it.
type signed struct {
	algorithm, keyID string
	payload          payload

	method    jwt.SigningMethod
	text      string // what is signed
	signature []byte
}

// payload is a token's JSON.
type payload struct {
	jwt.RegisteredClaims

	Publish   []string `json:"publish,omitempty"`
	Subscribe []string `json:"subscribe,omitempty"`
	Team      string   `json:"team,omitempty"`
}

// algorithms is what keeps "none" and every algorithm that we have no key type
// for out.
var algorithms = []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA}

var errUnusable = errors.New("a token that can't be used")

// tokens reads tokens. Dates are checked by Verifier, which tells them apart.
var tokens = jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())

// parseToken reads a token in the compact form (RFC 7515, section 3.1).
func parseToken(text string) (*signed, error) {
	s := new(signed)
	t, _, err := tokens.ParseUnverified(text, &s.payload)
	if err != nil {
		return nil, err
	}
	s.algorithm, s.method = t.Method.Alg(), t.Method
	if _, critical := t.Header["crit"]; critical || !slices.Contains(algorithms, jose.SignatureAlgorithm(s.algorithm)) {
		return nil, errUnusable // RFC 7515, section 4.1.11: what isn't understood must not be accepted
	}
	s.keyID, _ = t.Header["kid"].(string)
	s.text = text[:strings.LastIndexByte(text, '.')]
	s.signature = t.Signature
	return s, nil
}

// by reports whether one of keys signed the token. Tried are those of the same
// algorithm, and of the same kid where both have one. The library would refuse a
// key of the wrong type too; that a public key can't serve as an HMAC secret is
// not left to one place.
func (s *signed) by(keys []verifyKey) bool {
	for i := range keys {
		k := &keys[i]
		if string(k.algorithm) != s.algorithm || k.id != "" && s.keyID != "" && k.id != s.keyID {
			continue
		}
		if k.signed(s) {
			return true
		}
	}
	return false
}
