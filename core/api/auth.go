package api

import (
	"selvedge/internal/identity"
	"selvedge/wire"
)

const howToSend = "send it as Authorization: Bearer KEY or X-API-Key: KEY"

// authenticate finds out whose key a request carries.
func (a *api) authenticate(q *request) error {
	key, ok := identity.RequestKey(q.Request)
	if !ok {
		return &problem{Code: wire.Unauthorized, Message: "the API key is missing: " + howToSend}
	}
	if q.publisher, ok = a.Keys.Lookup(key); !ok {
		return &problem{Code: wire.Unauthorized, Message: "the API key is not known to this core: " + howToSend}
	}
	return nil
}
