package linktest_test

import (
	"testing"

	"selvedge/wire"
	"selvedge/wire/link/linktest"
)

func TestMemoryIsASource(t *testing.T) {
	linktest.TestSource(t, func(*testing.T) linktest.Subject {
		m := linktest.NewMemory(2, 4<<10)
		return linktest.Subject{Source: m, Publish: func(ch wire.Channel) (wire.LogID, wire.Seq) { return m.Publish(ch, 10) }, Trim: m.Trim}
	})
}
