package spelling

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 3, 0},
		{"eu-west", "eu-west", 3, 0},
		{"eu-wset", "eu-west", 3, 2},
		{"api_adr", "api_addr", 3, 1},
		{"kitten", "sitting", 9, 3},
		{"kitten", "sitting", 3, 3},
		{"a", "", 3, 1},
		{"", "abc", 3, 3},
		{"abcdef", "x", 3, 3},
	} {
		if got := Distance(c.a, c.b, c.limit); got != c.want {
			t.Errorf("%q to %q, limit %d: %d, want %d", c.a, c.b, c.limit, got, c.want)
		}
		if got := Distance(c.b, c.a, c.limit); got != c.want {
			t.Errorf("%q to %q, limit %d: %d, want %d", c.b, c.a, c.limit, got, c.want)
		}
	}
}
