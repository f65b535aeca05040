package million

import (
	"errors"
	"testing"
)

func TestARunStopsBeforeTheMemoryDoes(t *testing.T) {
	if err := suffices(5, 5); err != nil {
		t.Error(err)
	}
	if err := suffices(4, 5); !errors.Is(err, errMemory) {
		t.Errorf("with less than the reserve: %v", err)
	}
}
