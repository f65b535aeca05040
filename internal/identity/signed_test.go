package identity

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The header of a good token is remembered, that of any other is not, and to
// remember one changes nothing for tokens with another.
func TestHeadersAreRemembered(t *testing.T) {
	now := time.Now()
	claims := Claims{User: "u1", Expires: now.Add(time.Hour)}
	mint := func(secret string) string {
		token, err := Sign([]byte(secret), claims, now)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	secret := strings.Repeat("s", minSecret)
	v, err := NewVerifier(TokenConfig{Secrets: [][]byte{[]byte(secret)}})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := mint(secret), mint(strings.Repeat("x", minSecret))
	if _, err := v.Verify(t.Context(), bad); err == nil || v.last.Load() != nil {
		t.Errorf("a stranger's token: %v, and its header is remembered: %v", err, v.last.Load())
	}
	for range 2 {
		if c, err := v.Verify(t.Context(), good); err != nil || c.User != "u1" {
			t.Errorf("%+v, %v", c, err)
		}
		first, rest, _ := strings.Cut(good, ".")
		if h := v.last.Load(); h == nil || h.text != first || h.algorithm != "HS256" {
			t.Errorf("%+v is remembered, want that of %s", h, first)
		}
		none := "eyJhbGciOiJub25lIn0." + rest
		for _, token := range []string{bad, none, first + "." + first + "." + first, first, good + ".x"} {
			if _, err := v.Verify(t.Context(), token); err == nil {
				t.Errorf("%s is taken", token)
			}
		}
	}
}

// Dates are numbers, of any size and form that JSON has.
func TestDates(t *testing.T) {
	for text, want := range map[string]date{
		`1`: {true, 1}, `0`: {true, 0}, `-1`: {true, -1}, `1.9`: {true, 1}, `1e9`: {true, 1e9},
		`1e300`: {true, maxDate}, `-1e300`: {true, -maxDate}, `null`: {},
	} {
		var got date
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{`"soon"`, `"1"`, `{}`, `[]`, `true`, `1e999`} {
		var got date
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is taken for %+v", text, got)
		}
	}
}

// library is what the library makes of a token.
func library(text string) (*jwt.Token, error) {
	parsed, _, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(text, jwt.MapClaims{})
	return parsed, err
}

// What is read is read by the library, too, with the same result.
func FuzzParseToken(f *testing.F) {
	now := time.Now()
	token, err := Sign([]byte(DevTokenSecret), Claims{User: "u1", Expires: now.Add(time.Hour), Publish: []string{"room:*"}}, now)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{token, token + ".", token[1:], "eyJhbGciOiJub25lIn0.e30.", "e30.e30.e30", "..", "eyJhbGciOiJIUzI1NiJ9.e30."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fresh, err := parseToken(text, nil)
		if err != nil {
			return
		}
		again, err := parseToken(text, &fresh.header)
		if err != nil || again.algorithm != fresh.algorithm || again.keyID != fresh.keyID || again.text != fresh.text || !bytes.Equal(again.signature, fresh.signature) {
			t.Fatalf("%q with its header at hand is %+v, %v; without %+v", text, again, err, fresh)
		}
		parsed, err := library(text)
		if err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if parsed.Method.Alg() != fresh.algorithm || !bytes.Equal(parsed.Signature, fresh.signature) {
			t.Fatalf("%q is %+v, want %+v", text, fresh, parsed)
		}
	})
}
