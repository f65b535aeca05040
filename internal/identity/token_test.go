package identity_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"selvedge/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret of more than thirty-two bytes"

func verifier(t *testing.T, cfg identity.TokenConfig) *identity.Verifier {
	t.Helper()
	v, err := identity.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mint makes a token of any claims, as other issuers do.
func mint(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func good() map[string]any {
	return map[string]any{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
}

func with(key string, value any) map[string]any {
	m := good()
	if m[key] = value; value == nil {
		delete(m, key)
	}
	return m
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestSignAndVerify(t *testing.T) {
	now := time.Now()
	claims := identity.Claims{
		User: "ülé@x", Publish: []string{"room:*"}, Subscribe: []string{"topic:a", "topic:b*"}, Team: "t1",
		Audience: "selvedge", Issuer: "me", Expires: now.Add(time.Hour),
	}
	token, err := identity.Sign([]byte(secret), claims, now)
	if err != nil {
		t.Fatal(err)
	}
	// The second of two secrets: the first is being phased in.
	v := verifier(t, identity.TokenConfig{Secrets: [][]byte{[]byte(strings.Repeat("n", 32)), []byte(secret)}, Audience: "selvedge", Issuer: "me"})
	got, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	claims.Audience, claims.Issuer, claims.Expires = "", "", claims.Expires.Truncate(time.Second)
	if diff := cmp.Diff(claims, got); diff != "" {
		t.Error(diff)
	}
}

func TestSignRefuses(t *testing.T) {
	now := time.Now()
	ok := identity.Claims{User: "u", Expires: now.Add(time.Hour)}
	if _, err := identity.Sign([]byte("short"), ok, now); err == nil {
		t.Error("a short secret signs")
	}
	for _, user := range []string{"", "a\nb", "a*", ".."} {
		if _, err := identity.Sign([]byte(secret), identity.Claims{User: user, Expires: ok.Expires}, now); err == nil {
			t.Errorf("user %q gets a token", user)
		}
	}
	if _, err := identity.Sign([]byte(secret), identity.Claims{User: "u", Expires: now}, now); err == nil {
		t.Error("an expired token is signed")
	}
}

func TestChannelPatterns(t *testing.T) {
	c := identity.Claims{Publish: []string{"room:*", "topic:a", "inbox:u*1"}, Subscribe: []string{"*"}}
	tests := []struct {
		channel            string
		publish, subscribe bool
	}{
		{"room:x", true, true},
		{"room:", true, true},
		{"topic:a", true, true},
		{"topic:ab", false, true},
		{"topic:", false, true},
		{"inbox:u1", false, true},
		{"inbox:u*1", true, true},
		{"rooms:x", false, true},
		{"", false, true},
	}
	for _, tt := range tests {
		if p, s := c.MayPublish(tt.channel), c.MaySubscribe(tt.channel); p != tt.publish || s != tt.subscribe {
			t.Errorf("%q: publish %v, subscribe %v, want %v, %v", tt.channel, p, s, tt.publish, tt.subscribe)
		}
	}
	if none := (identity.Claims{}); none.MayPublish("room:x") || none.MaySubscribe("") {
		t.Error("absent patterns allow something")
	}
}

func TestBadTokens(t *testing.T) {
	v := verifier(t, identity.TokenConfig{Secrets: [][]byte{[]byte(secret)}, Audience: "selvedge", Issuer: "me"})
	ours := func(key string, value any) string {
		claims := with(key, value)
		for k, v := range map[string]any{"aud": []string{"x", "selvedge"}, "iss": "me"} {
			if k != key {
				claims[k] = v
			}
		}
		return mint(t, jose.HS256, []byte(secret), "", claims)
	}
	if _, err := v.Verify(t.Context(), ours("", nil)); err != nil {
		t.Fatalf("the good token is refused: %v", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	none := b64([]byte(`{"alg":"none"}`)) + "." + strings.Split(ours("", nil), ".")[1] + "."
	tampered := strings.Split(ours("", nil), ".")
	tampered[1] = strings.Split(ours("sub", "root"), ".")[1]
	// What isn't understood and must be (RFC 7515, section 4.1.11), well signed.
	critical := b64([]byte(`{"alg":"HS256","crit":["x"],"x":1}`)) + "." + strings.Split(ours("", nil), ".")[1]
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(critical))
	critical += "." + b64(mac.Sum(nil))
	tests := []struct {
		name, token, want string
	}{
		{"empty", "", "it is no JWT"},
		{"noise", "a.b.c", "it is no JWT"},
		{"alg none", none, "it is no JWT"},
		{"other algorithm", mint(t, jose.HS512, []byte(strings.Repeat(secret, 2)), "", good()), "it is no JWT"},
		{"stranger", mint(t, jose.HS256, []byte(strings.Repeat("x", 32)), "k7", good()), `no key of ours signed it (alg HS256, kid "k7")`},
		{"tampered", strings.Join(tampered, "."), "no key of ours signed it"},
		{"huge", ours("x", strings.Repeat("x", 20000)), "at most 16384"},
		{"no exp", ours("exp", nil), "it has no exp"},
		{"exp as text", ours("exp", "soon"), "it is no JWT"},
		{"critical header", critical, "it is no JWT"},
		{"not yet", ours("nbf", time.Now().Add(time.Hour).Unix()), "not valid before"},
		{"no sub", ours("sub", nil), "sub: bad id: it is empty"},
		{"control character", ours("sub", "a\x00b"), "sub: bad id"},
		{"long sub", ours("sub", strings.Repeat("x", 129)), "sub: bad id"},
		{"other audience", ours("aud", "other"), `aud is ["other"], without "selvedge"`},
		{"no audience", ours("aud", nil), "aud is"},
		{"other issuer", ours("iss", "you"), `iss is "you", not "me"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), tt.token)
			if !errors.Is(err, identity.ErrTokenInvalid) || errors.Is(err, identity.ErrTokenExpired) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLeeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := verifier(t, identity.TokenConfig{Secrets: [][]byte{[]byte(secret)}})
		start := time.Now()
		token := mint(t, jose.HS256, []byte(secret), "", map[string]any{"sub": "u", "exp": start.Add(time.Minute).Unix(), "nbf": start.Add(30 * time.Second).Unix()})
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("30 s before nbf: %v", err)
		}
		time.Sleep(90 * time.Second)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("30 s after exp: %v", err)
		}
		time.Sleep(time.Second)
		_, err := v.Verify(t.Context(), token)
		want := "token expired at " + start.Add(time.Minute).UTC().Format(time.RFC3339) + ": mint a new one"
		if !errors.Is(err, identity.ErrTokenExpired) || err.Error() != want {
			t.Errorf("31 s after exp: %v, want %s", err, want)
		}
	})
}

func TestAlgorithmsAndKeyFiles(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Keys that are published for other purposes than ours.
	psKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := publicPEM(t, rsaKey.Public())
	both := writeFile(t, "keys.pem", rsaPEM+publicPEM(t, ecKey.Public()))
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: edPublic, KeyID: "ed", Use: "sig"},
		{Key: encKey.Public(), KeyID: "enc", Use: "enc"},
		{Key: psKey.Public(), KeyID: "ps", Algorithm: "PS256"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	jwks := writeFile(t, "jwks.json", string(set))
	v := verifier(t, identity.TokenConfig{KeyFiles: []string{both, jwks}})
	tests := []struct {
		name  string
		token string
		ok    bool
	}{
		{"RS256", mint(t, jose.RS256, rsaKey, "", good()), true},
		{"RS256 with a kid that a PEM can't have", mint(t, jose.RS256, rsaKey, "any", good()), true},
		{"ES256", mint(t, jose.ES256, ecKey, "", good()), true},
		{"EdDSA", mint(t, jose.EdDSA, edKey, "ed", good()), true},
		{"EdDSA without kid", mint(t, jose.EdDSA, edKey, "", good()), true},
		{"EdDSA of another kid", mint(t, jose.EdDSA, edKey, "other", good()), false},
		{"PS256", mint(t, jose.PS256, psKey, "ps", good()), false},
		{"RS256 with a key for PS256", mint(t, jose.RS256, psKey, "ps", good()), false},
		{"ES256 with a key for encryption", mint(t, jose.ES256, encKey, "enc", good()), false},
		{"RS512", mint(t, jose.RS512, rsaKey, "", good()), false},
		{"public key as HMAC secret", mint(t, jose.HS256, []byte(rsaPEM), "", good()), false},
		{"HS256", mint(t, jose.HS256, []byte(secret), "", good()), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := v.Verify(t.Context(), tt.token); (err == nil) != tt.ok {
				t.Errorf("Verify = %v, want ok = %v", err, tt.ok)
			}
		})
	}
}

func TestVerifierRefusesKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	privatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	tests := []struct {
		name string
		cfg  identity.TokenConfig
		want string
	}{
		{"nothing", identity.TokenConfig{}, "no key to verify tokens with"},
		{"short secret", identity.TokenConfig{Secrets: [][]byte{[]byte("short")}}, "token secret 1 has 5 bytes: HS256 needs at least 32"},
		{"dev secret", identity.TokenConfig{Secrets: [][]byte{[]byte(identity.DevTokenSecret)}}, "use your own"},
		{"no file", identity.TokenConfig{KeyFiles: []string{"/none"}}, "can't be read"},
		{"empty file", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", "")}}, "has no key"},
		{"private key", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", privatePEM)}}, "give the public half only"},
		{"small RSA", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", publicPEM(t, small.Public()))}}, "1024 bits"},
		{"P-384", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", publicPEM(t, p384.Public()))}}, "ES256 needs P-256"},
		{"JWKS of secrets", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", `{"keys":[{"kty":"oct","k":"AAAA"}]}`)}}, "no public key"},
		{"broken JWKS", identity.TokenConfig{KeyFiles: []string{writeFile(t, "k", `{"keys":`)}}, "no JWKS"},
		{"plain http", identity.TokenConfig{JWKSURL: "http://example.com/jwks"}, "use https"},
		{"no URL", identity.TokenConfig{JWKSURL: "jwks"}, "no https URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := identity.NewVerifier(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestDevTokens(t *testing.T) {
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: "u1", Expires: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := verifier(t, identity.DevTokens()).Verify(t.Context(), token); err != nil || c.User != "u1" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func FuzzVerify(f *testing.F) {
	token, err := identity.Sign([]byte(secret), identity.Claims{User: "u1", Expires: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	v, err := identity.NewVerifier(identity.TokenConfig{Secrets: [][]byte{[]byte(secret)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token[:len(token)-1])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(`{"payload":"e30","signatures":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		// Equal text but for base64's spare bits is the same token.
		if c, err := v.Verify(t.Context(), text); err == nil && c.User != "u1" {
			t.Errorf("%q is accepted for %q", text, c.User)
		}
	})
}
