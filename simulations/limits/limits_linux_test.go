package limits

import "testing"

func TestHere(t *testing.T) {
	l, err := Here()
	if err != nil || l.Files < 64 || l.Memory < 1<<20 || l.Memory > 1<<50 {
		t.Errorf("%+v, %v", l, err)
	}
}
