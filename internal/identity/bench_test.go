package identity

import (
	"testing"
	"time"
)

// What a hello costs for its token: the larger part of what isn't the kernel's.
func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	token, err := Sign([]byte(DevTokenSecret), Claims{User: "user-1234", Expires: now.Add(time.Hour)}, now)
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewVerifier(DevTokens())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
