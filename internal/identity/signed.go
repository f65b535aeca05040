package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// signed is a token that was read. Nothing of it is to be believed until by
// says that a key of ours signed it.
type signed struct {
	header
	payload payload

	text      string // what is signed
	signature []byte
}

// header is the first part of a token.
type header struct {
	text             string // in base64
	algorithm, keyID string
	method           jwt.SigningMethod
}

// payload is the second part of a token.
type payload struct {
	Subject   string           `json:"sub"`
	Issuer    string           `json:"iss"`
	Audience  jwt.ClaimStrings `json:"aud"`
	Expires   date             `json:"exp"`
	NotBefore date             `json:"nbf"`

	Publish   []string `json:"publish"`
	Subscribe []string `json:"subscribe"`
	Team      string   `json:"team"`
}

// algorithms is what keeps "none" and every algorithm that we have no key type
// for out.
var algorithms = []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA}

var (
	errForm     = errors.New("a token in another form")
	errUnusable = errors.New("a token that can't be used")
)

// parseToken reads a token in the compact form (RFC 7515, section 3.1). last, if
// not nil, is a header that was read before: an issuer's tokens have all the same
// one, and to read it is half the work.
func parseToken(text string, last *header) (*signed, error) {
	first, rest, ok := strings.Cut(text, ".")
	second, third, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(third, ".") {
		return nil, errForm
	}
	s := &signed{text: text[:len(first)+1+len(second)]}
	var err error
	if last != nil && last.text == first {
		s.header = *last
	} else if s.header, err = parseHeader(first); err != nil {
		return nil, err
	}
	if err = decodeJSON(second, &s.payload); err != nil {
		return nil, err
	}
	s.signature, err = base64.RawURLEncoding.Strict().DecodeString(third)
	return s, err
}

func parseHeader(text string) (header, error) {
	h := header{text: text}
	var fields map[string]any
	if err := decodeJSON(text, &fields); err != nil {
		return h, err
	}
	h.algorithm, _ = fields["alg"].(string)
	h.keyID, _ = fields["kid"].(string)
	h.method = jwt.GetSigningMethod(h.algorithm)
	if _, critical := fields["crit"]; critical || h.method == nil || !slices.Contains(algorithms, jose.SignatureAlgorithm(h.algorithm)) {
		return h, errUnusable // RFC 7515, section 4.1.11: what isn't understood must not be accepted
	}
	return h, nil
}

// decodeJSON reads JSON in base64.
func decodeJSON(text string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
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
