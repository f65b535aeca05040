package log

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"
)

// healthTries is how often a server is asked for its health that says only that
// it is not ready for connections.
const healthTries = 10

// sick says what is wrong with the file store of a single server, nil if nothing.
func (e *embedded) sick() error {
	return sickness(func() []server.HealthzError {
		return e.server.Healthz(&server.HealthzOptions{Details: true}).Errors
	})
}

// sickness is what a server's reports say of its store. A report first looks whether
// the server is ready for connections, for one millisecond, and ends if not. A
// single server is ready since it was started: all that it means is that a busy
// machine gave the processor to somebody else, and the store was not looked at.
func sickness(report func() []server.HealthzError) error {
	for range healthTries {
		errs := report()
		if len(errs) == 0 {
			return nil
		}
		for _, e := range errs {
			if e.Type != server.HealthzErrorConn {
				return errors.New(e.Error)
			}
		}
	}
	return nil // the append that waits is given up anyhow, if it goes on so
}
