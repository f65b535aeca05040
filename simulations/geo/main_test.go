package geo

import (
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/server/ats"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	ats.Register() // its goroutine must not belong to a bubble
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		ats.Unregister()
		os.Exit(code)
	}), goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}
