//go:build !linux

package door

import (
	"testing"

	"selvedge/edge/transport"
)

func loopWays() []way { return nil }

func newSink(testing.TB) transport.Loop { return transport.NewPortable(transport.Config{}) }

func asCallers() bool { return false }
