package door

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if asCallers() {
		return
	}
	goleak.VerifyTestMain(m)
}
