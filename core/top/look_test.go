package top

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a network in which nobody answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A core that takes the question and says nothing is given up.
func TestASilentCore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		answers := newLooker([]string{"http://a", "http://b"}, "key", silent{}).look(t.Context())
		if took := time.Since(start); took != patience {
			t.Errorf("it took %v, want %v for both together", took, patience)
		}
		for i, url := range []string{"http://a", "http://b"} {
			if a := answers[i]; a.url != url || a.err == nil || !strings.Contains(a.failure().Error(), url+": ") || !strings.Contains(a.failure().Error(), "no answer within 3s") {
				t.Errorf("%+v", a)
			}
		}
	})
}
