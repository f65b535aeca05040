package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// minRSA is the smallest RSA key that is accepted, in bits (RFC 7518, section 3.3).
const minRSA = 2048

// verifyKey is a key and the one algorithm that it may be used with: a public
// key must never be taken for an HMAC secret.
type verifyKey struct {
	id        string // kid; may be empty
	algorithm jose.SignatureAlgorithm
	key       any
	macs      *sync.Pool // of hash.Hash, keyed; HS256 only
}

// secretKey is the verifyKey of a secret for HS256.
func secretKey(secret []byte) verifyKey {
	secret = bytes.Clone(secret)
	return verifyKey{
		algorithm: jose.HS256, key: secret,
		macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }},
	}
}

// signed reports whether the key made a token's signature. The library does the
// work but for HS256, where it would key a new hash for each token: twice the
// time and a kilobyte, in a storm of them.
func (k *verifyKey) signed(s *signed) bool {
	if k.macs == nil {
		return s.method.Verify(s.text, s.signature, k.key) == nil
	}
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	_, _ = io.WriteString(h, s.text) // a hash takes everything
	var space [sha256.Size]byte
	return hmac.Equal(s.signature, h.Sum(space[:0]))
}

// loadKeys reads public keys from a PEM or JWKS file.
func loadKeys(path string) ([]verifyKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("token key file can't be read: %w", err)
	}
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) {
		keys, err := parseJWKS(trimmed)
		if err != nil {
			return nil, fmt.Errorf("token key file %s: %w", path, err)
		}
		return keys, nil
	}
	var keys []verifyKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := parsePublic(block)
		if err != nil {
			return nil, fmt.Errorf("token key file %s: %w", path, err)
		}
		algorithm, err := algorithmOf(key)
		if err != nil {
			return nil, fmt.Errorf("token key file %s: %w", path, err)
		}
		keys = append(keys, verifyKey{algorithm: algorithm, key: key})
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("token key file %s has no key: it must hold PEM public keys or a JWKS", path)
	}
	return keys, nil
}

func parsePublic(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("a PEM block %q is no public key: give the public half only", block.Type)
}

// algorithmOf is the algorithm that a public key is for.
func algorithmOf(key any) (jose.SignatureAlgorithm, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return "", fmt.Errorf("an RSA key has %d bits: at least %d are needed", key.N.BitLen(), minRSA)
		}
		return jose.RS256, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fmt.Errorf("an EC key is on %s: ES256 needs P-256", key.Params().Name)
		}
		return jose.ES256, nil
	case ed25519.PublicKey:
		return jose.EdDSA, nil
	}
	return "", fmt.Errorf("a key of type %T is none of RSA, P-256 or Ed25519", key)
}

// parseJWKS takes the public signing keys that we have an algorithm for out of a
// key set or a single key. Others are no error: providers publish keys for many
// purposes. A set without any is.
func parseJWKS(text []byte) ([]verifyKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("it is no JWKS: %w", err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{text}
	}
	var keys []verifyKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		algorithm, err := algorithmOf(k.Key)
		if err != nil || k.Algorithm != "" && k.Algorithm != string(algorithm) {
			continue
		}
		keys = append(keys, verifyKey{id: k.KeyID, algorithm: algorithm, key: k.Key})
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no public key for RS256, ES256 or EdDSA")
	}
	return keys, nil
}
