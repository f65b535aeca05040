package dev

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// Whatever the demo page is made of is served, what it shares with the console, too.
func TestThePageHasAllItsParts(t *testing.T) {
	demo, err := newDemo(Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		w := httptest.NewRecorder()
		demo.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
		return w.Body.String()
	}
	parts := regexp.MustCompile(`(?:href|src)="([a-z][a-z0-9./_-]*)"|from '([^']+)'`)
	seen := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		for _, m := range parts.FindAllStringSubmatch(get(path), -1) {
			part := m[1] + m[2]
			if folder := path[:strings.LastIndex(path, "/")+1]; !strings.HasPrefix(part, "/") {
				part = folder + strings.TrimPrefix(part, "./")
			}
			follow(part)
		}
	}
	follow("/")
	for _, part := range []string{"/theme.css", "/icon.svg", "/app.css", "/app.js", "/sdk/selvedge.js"} {
		if !seen[part] {
			t.Errorf("the page does not lead to %s: %v", part, seen)
		}
	}
}
