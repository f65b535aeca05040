package core

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/core/api"
	"selvedge/core/directory"
	"selvedge/wire"
)

// handler is the API port: the API, health, and what Config.Mount adds.
func (n *coreNode) handler(reg prometheus.Registerer) http.Handler {
	calls := api.New(api.Config{
		Publisher: n.publisher,
		Directory: &directory.Writer{View: n.view, Log: n.log, End: n.log.End, Latest: n.log.Latest, Logs: n.log.Logs()},
		Signal: func(ch wire.Channel, from string, data wire.Data) {
			n.signal("", &wire.Signal{T: wire.TSignal, Ch: ch, From: from, Data: data})
		},
		History: n.history, Keys: n.cfg.APIKeys, Cluster: n.cluster, Drain: n.orderDrain,
		Epoch: n.log.Epoch(), Logs: n.log.Logs(), Registry: reg, Logger: n.cfg.Logger,
	})
	rest := n.cfg.Mount
	if rest == nil {
		rest = calls
	}
	mux := n.health(rest)
	mux.Handle("/v1/", calls)
	return n.lastCall.handler(mux)
}
